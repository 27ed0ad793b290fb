"""An operator's pause, and what becomes of the fires that were missed during it."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from taskcfg.spec.due import Decision, MissedSpan, with_overlap
from taskcfg.spec.policy import CatchUp, Overlap
from taskcfg.spec.timetable import Timetable, between

MOST_MADE_UP = 1_000
"""The most missed fires of one task that `all` fires: the latest. The others are recorded as missed."""

REASON = "paused"
_WITHOUT_END = 2**31 - 1
_MICROSECOND = timedelta(microseconds=1)
_REASONS = {
    CatchUp.NONE: REASON,
    CatchUp.LATEST: f"{REASON}: only the latest is made up",
    CatchUp.ALL: f"{REASON}: only the latest {MOST_MADE_UP:,} are made up",
}


@dataclass(frozen=True, slots=True)
class Pause:
    """Who stopped a task, why, and from when to when (None: until somebody resumes it).

    `missed` says which of the fires missed meanwhile are made up when it ends.
    """

    by: str
    reason: str
    since: datetime
    until: datetime | None = None
    missed: CatchUp = CatchUp.NONE

    def ends_at(self, now: datetime) -> datetime:
        """Return when it ended, if it ends now: what comes after `until` was no longer paused."""
        return now if self.until is None else min(self.until, now)


def settle(
    table: Timetable, overlap: Overlap, missed: CatchUp, *, start: datetime, end: datetime, live: int
) -> Decision | None:
    """Decide about every nominal time in [start, end), all of which a pause has kept from firing.

    None when there is none. *live* is how many fires of the task are not finished. The fires
    made up are at most `MOST_MADE_UP`; the others are one span. The work grows with the number
    of nominal times only for cron expressions.
    """
    first = table.next_after(start - _MICROSECOND)
    if first is None or first >= end:
        return None
    made_up = _latest(table, first, end, {CatchUp.NONE: 0, CatchUp.LATEST: 1}.get(missed, MOST_MADE_UP))
    number, last = table.count_between(first, (made_up[0] if made_up else end) - _MICROSECOND, _WITHOUT_END)
    span = None if last is None else MissedSpan(first, last, number, _REASONS[missed])
    settled = made_up[-1] if made_up else last
    if settled is None:
        raise ValueError("the schedule does not give the time it begins with")
    return Decision(tuple(with_overlap(made_up, overlap, live)), span, settled, table.next_after(settled))


def _latest(table: Timetable, first: datetime, end: datetime, most: int) -> Sequence[datetime]:
    """Return the latest nominal times in [first, end), at most *most*; look back no farther than needed."""
    window = timedelta(seconds=most)
    while most:
        start = first if end - first <= window else end - window
        found = deque(between(table, start, end, _WITHOUT_END), maxlen=most)
        if len(found) == most or start == first:
            return found
        window *= 2
    return ()
