"""Whether a task's scheduled fires stand for every nominal time of its schedules, once each."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from uuid import UUID

from taskcfg.spec.audit.books import AuditedFire, AuditedTask, Era
from taskcfg.spec.audit.verdict import AuditFinding, Fault
from taskcfg.spec.instants import rfc3339
from taskcfg.spec.times.timetable import Timetable

MOST_COUNTED = 1_000_000
"""Nominal times of a list of schedules that one question counts one by one at most."""

_MICROSECOND = timedelta(microseconds=1)


class Coverage:
    """Follows the scheduled fires of one task, which it is given in the order of their nominal times.

    What is to come after *now* is no gap yet. A time outside the task's eras is not judged. After a
    fire that was recorded under another version than its era's, nothing is known until the next that
    fits: somebody changed the row by hand, or an edit and a pass passed each other.
    """

    def __init__(self, task: AuditedTask, now: datetime) -> None:
        self._task = task
        self._now = now
        self._eras = list(task.eras)
        self._covered: tuple[datetime, AuditedFire] | None = None
        self._cursor = _start(self._eras[0]) if self._eras else None

    def take(self, fire: AuditedFire) -> Iterator[AuditFinding]:
        """Yield what is wrong up to *fire* and with its place."""
        if self._covered is not None and fire.nominal_at <= self._covered[0]:
            other = self._covered[1]
            reason = "two fires stand for it"
            yield self._finding(Fault.DOUBLE, reason, fire.nominal_at, ids=(other.id, fire.id))
        if self._covered is None or fire.last > self._covered[0]:
            self._covered = (fire.last, fire)
        yield from self._advance_to(fire.nominal_at)
        if self._eras:
            yield from self._place(self._eras[0], fire)

    def finish(self) -> Iterator[AuditFinding]:
        """Yield what is missing after the last fire."""
        reached = self._task.last_nominal_at
        if self._covered is not None and (reached is None or reached < self._covered[0]):
            reason = "it is recorded, and the task's row says that it has not come so far"
            yield self._finding(Fault.CONTRADICTION, reason, self._covered[0], ids=(self._covered[1].id,))
        while self._eras:
            era = self._eras[0]
            if era.end is None:
                yield from self._before_next(era)
                return
            yield from self._close(era, era.end)

    def _advance_to(self, instant: datetime) -> Iterator[AuditFinding]:
        while self._eras:
            end = self._eras[0].end
            if end is None or instant <= end:
                return
            yield from self._close(self._eras[0], end)

    def _close(self, era: Era, end: datetime) -> Iterator[AuditFinding]:
        yield from self._missing(era, end + _MICROSECOND)
        self._eras.pop(0)
        if self._eras:
            start = _start(self._eras[0])
            reached = None if self._covered is None else self._covered[0]
            self._cursor = start if start is None or reached is None else max(start, reached)

    def _place(self, era: Era, fire: AuditedFire) -> Iterator[AuditFinding]:
        if fire.last <= era.start:
            return
        if not era.knows(fire.version):
            self._cursor = None
            return
        if fire.nominal_at > era.start:
            yield from self._missing(era, fire.nominal_at)
            yield from self._belongs(era.table, fire)
        self._cursor = fire.last if self._cursor is None else max(self._cursor, fire.last)

    def _missing(self, era: Era, until: datetime) -> Iterator[AuditFinding]:
        """Yield the gap between what is covered and *until*, itself not in it, if there is one."""
        if self._cursor is None or era.table is None:
            return
        expected = era.table.next_after(self._cursor)
        if expected is None or expected.at >= until:
            return
        number, last = era.table.count_between(expected.at, until - _MICROSECOND, MOST_COUNTED)
        reason = (
            "no fire and no missed span stands for it"
            if number == 1
            else (f"no fire and no missed span stands for any of {number:,} nominal times")
        )
        yield self._finding(Fault.GAP, reason, expected.at, until=last, count=number)

    def _belongs(self, table: Timetable | None, fire: AuditedFire) -> Iterator[AuditFinding]:
        ends = [fire.nominal_at] if fire.span_end is None else [fire.nominal_at, fire.span_end]
        strangers = [end for end in ends if not _gives(table, end)]
        for end in strangers:
            yield self._finding(Fault.EXTRA, "the schedule does not give this time", end, ids=(fire.id,))
        if table is None or fire.span_end is None or strangers:
            return
        number, last = table.count_between(fire.nominal_at, fire.span_end, MOST_COUNTED)
        if last == fire.span_end and number != fire.span_count:
            reason = f"the missed span says {fire.span_count} nominal times, and holds {number}"
            fault = Fault.CONTRADICTION
            yield self._finding(fault, reason, fire.nominal_at, until=fire.span_end, ids=(fire.id,))

    def _before_next(self, era: Era) -> Iterator[AuditFinding]:
        following = self._task.next_nominal_at
        passed = self._now if following is None else min(following, self._now)
        yield from self._missing(era, passed)
        if self._cursor is None or era.table is None or (following is not None and following <= passed):
            return
        expected = era.table.next_after(max(self._cursor, passed - _MICROSECOND))
        if expected is not None and (following is None or expected.at < following):
            said = "has ended" if following is None else f"goes on at {rfc3339(following)}"
            reason = f"the row says that the schedule {said}, and it gives this time"
            yield self._finding(Fault.CONTRADICTION, reason, expected.at)

    def _finding(
        self,
        fault: Fault,
        reason: str,
        at: datetime,
        *,
        until: datetime | None = None,
        count: int = 1,
        ids: tuple[UUID, ...] = (),
    ) -> AuditFinding:
        return AuditFinding(fault, self._task.name, reason, at, until, count, ids)


def _start(era: Era) -> datetime | None:
    return era.start if era.sure else None


def _gives(table: Timetable | None, instant: datetime) -> bool:
    if table is None:
        return False
    found = table.next_after(instant - _MICROSECOND)
    return found is not None and found.at == instant
