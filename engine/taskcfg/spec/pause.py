"""An operator's pause, and what becomes of the fires that were missed during it."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from taskcfg.spec.due import Decision, MissedSpan, Rules
from taskcfg.spec.policy import CatchUp

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


def settle(rules: Rules, missed: CatchUp, *, start: datetime, end: datetime) -> Decision | None:
    """Decide about every nominal time from *start* on whose fire time is before *end*: a pause has
    kept all of them from firing.

    None when there is none. The fires made up are at most `MOST_MADE_UP`; the others are one span.
    """
    first = rules.nominal_after(start - _MICROSECOND)
    most = {CatchUp.NONE: 0, CatchUp.LATEST: 1}.get(missed, MOST_MADE_UP)
    latest = list(_latest(rules, first or end, end, max(most, 1)))
    if first is None or not latest:
        return None
    made_up = latest if most else []
    until = made_up[0] if made_up else latest[-1] + _MICROSECOND
    number, last = rules.table.count_between(first, until - _MICROSECOND, _WITHOUT_END)
    span = None if last is None else MissedSpan(first, last, number, _REASONS[missed])
    return rules.decided(made_up, span, latest[-1])


def _latest(rules: Rules, first: datetime, end: datetime, most: int) -> Iterable[datetime]:
    """Return the latest nominal times from *first* on whose fire time is before *end*, at most *most*."""
    latest: deque[datetime] = deque()
    found = rules.table.previous_before(end)
    while found is not None and found.at >= first and len(latest) < most:
        if latest or rules.fire_at(found.at) < end:
            latest.appendleft(found.at)
        found = rules.table.previous_before(found.at)
    return latest
