"""Fire-time arithmetic: the one place that says when a schedule fires."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Protocol, assert_never
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from taskcfg.spec.cron import CronRule, read_cron
from taskcfg.spec.offsets import Stretch, offsets_of
from taskcfg.spec.schedule import EPOCH, At, Cron, Every, Manual, Schedule
from taskcfg.spec.shown import shown

SHORTEST_INTERVAL = timedelta(seconds=1)

_SECOND = timedelta(seconds=1)
_MICROSECOND = timedelta(microseconds=1)
_NOT_IANA = ("Factory", "localtime", "posixrules")


class Timetable(Protocol):
    """The nominal times of one schedule in one zone; every instant is aware and in UTC."""

    def next_after(self, instant: datetime) -> datetime | None:
        """Return the first nominal time strictly after *instant*, or None when there is none."""

    def count_between(self, start: datetime, end: datetime, limit: int) -> tuple[int, datetime | None]:
        """Count the nominal times in [start, end] and return the last counted.

        *start* must itself be a nominal time. *limit* bounds the work: where times are counted
        one by one, at most so many are; where they are computed, all of them.
        """


@lru_cache(maxsize=4096)
def timetable(schedule: Schedule, zone: str) -> Timetable:
    """Return the timetable of *schedule* in *zone* (an IANA name).

    Raises ValueError, with the reason, for a zone that does not exist and for an
    expression that cannot be read or never fires.
    """
    match schedule:
        case Cron(expression):
            return _CronTimes(read_cron(expression), zone_named(zone))
        case Every(interval, anchor):
            return _EveryTimes(interval, anchor)
        case At(instants):
            return _AtTimes(instants)
        case Manual():
            return _AtTimes(())
        case _:
            assert_never(schedule)


def between(table: Timetable, start: datetime, end: datetime, limit: int) -> Iterator[datetime]:
    """Yield the nominal times in [start, end), in order, at most *limit*."""
    instant = table.next_after(start - _MICROSECOND)
    while instant is not None and instant < end and limit > 0:
        yield instant
        limit -= 1
        instant = table.next_after(instant)


class _CronTimes:
    def __init__(self, rule: CronRule, zone: ZoneInfo) -> None:
        self._times = rule.times
        self._real = rule.follows_real_time
        self._offsets = offsets_of(zone)
        # Tasks that share a schedule are due together and ask the same question one after the other.
        self._latest_answer: tuple[datetime, datetime | None] | None = None
        self._latest_count: tuple[tuple[datetime, datetime, int], tuple[int, datetime | None]] | None = None

    def next_after(self, instant: datetime) -> datetime | None:
        latest = self._latest_answer
        if latest is not None and latest[0] == instant:
            return latest[1]
        second = self._after((instant - EPOCH) // _SECOND)
        found = None if second is None else EPOCH + timedelta(seconds=second)
        self._latest_answer = (instant, found)
        return found

    def count_between(self, start: datetime, end: datetime, limit: int) -> tuple[int, datetime | None]:
        question = (start, end, limit)
        latest = self._latest_count
        if latest is None or latest[0] != question:
            self._latest_count = latest = (question, self._count(start, end, limit))
        return latest[1]

    def _count(self, start: datetime, end: datetime, limit: int) -> tuple[int, datetime | None]:
        if end < start or limit <= 0:
            return 0, None
        number, last, until = 1, (start - EPOCH) // _SECOND, (end - EPOCH) // _SECOND
        while number < limit and (found := self._after(last)) is not None and found <= until:
            number, last = number + 1, found
        return number, EPOCH + timedelta(seconds=last)

    def _after(self, second: int) -> int | None:
        """Return the first nominal time after *second*; both count from 1970 in UTC.

        Follows the clock on the wall: through each stretch of one offset, and over the changes
        between them, where a fixed time that was skipped fires at the change, as in Debian's cron.
        """
        wall: int | None = None
        for stretch in self._offsets.stretches(second + 1):
            start = max(second + 1, stretch.start)
            at_change = start == stretch.start and not self._real
            if at_change and self._skipped(stretch, wall):
                return start
            earliest = start + stretch.offset
            if not self._real:
                earliest = max(earliest, stretch.start + stretch.before)  # what is shown again is over
            if self._real or wall is None or wall < earliest:
                wall = self._times.at_or_after(earliest)
                if wall is None:
                    return None
            if wall - stretch.offset < stretch.end:
                return wall - stretch.offset
        return None  # the calendar ends

    def _skipped(self, stretch: Stretch, wall: int | None) -> bool:
        """Say whether clocks skip one of the times as *stretch* begins; *wall* is the next that is known."""
        if stretch.offset <= stretch.before:
            return False
        skipped = stretch.start + stretch.before
        if wall is None or wall < skipped:
            wall = self._times.at_or_after(skipped)
        return wall is not None and wall < stretch.start + stretch.offset


class _EveryTimes:
    def __init__(self, interval: timedelta, anchor: datetime) -> None:
        if interval < SHORTEST_INTERVAL:
            raise ValueError("the shortest interval is 1s")
        self._interval = interval
        self._anchor = anchor

    def next_after(self, instant: datetime) -> datetime | None:
        if instant < self._anchor:
            return self._anchor
        try:
            return self._anchor + ((instant - self._anchor) // self._interval + 1) * self._interval
        except OverflowError:
            return None

    def count_between(self, start: datetime, end: datetime, limit: int) -> tuple[int, datetime | None]:
        if end < start or limit <= 0:
            return 0, None
        steps = (end - start) // self._interval
        return steps + 1, start + steps * self._interval


class _AtTimes:
    def __init__(self, instants: tuple[datetime, ...]) -> None:
        self._instants = instants

    def next_after(self, instant: datetime) -> datetime | None:
        return next((found for found in self._instants if found > instant), None)

    def count_between(self, start: datetime, end: datetime, limit: int) -> tuple[int, datetime | None]:
        found = [instant for instant in self._instants if start <= instant <= end][:limit]
        return len(found), found[-1] if found else None


@lru_cache(maxsize=1024)
def zone_named(name: str) -> ZoneInfo:
    """Return the zone of that IANA name. Raises ValueError when there is none."""
    try:
        if may_be_zone(name):
            return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise ValueError(f"{shown(name)} is not a time zone") from error
    raise ValueError(f"{shown(name)} is not a time zone")


def may_be_zone(name: str) -> bool:
    """Whether a zone of that name would be IANA's: some systems keep more beside them, with leap
    seconds, or the machine's own."""
    return name not in _NOT_IANA and not name.startswith(("posix/", "right/"))
