"""Fire-time arithmetic: the one place that says when a schedule fires."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Protocol, assert_never
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from cronsim import CronSim

from taskcfg.spec.cron import check_cron
from taskcfg.spec.schedule import At, Cron, Every, Manual, Schedule

SHORTEST_INTERVAL = timedelta(seconds=1)

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
            return _CronTimes(check_cron(expression), zone_named(zone))
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
    def __init__(self, expression: str, zone: ZoneInfo) -> None:
        self._expression = expression
        self._zone = zone
        # Tasks that share a schedule are due together and ask the same question one after the other.
        self._latest_answer: tuple[datetime, datetime | None] | None = None
        self._latest_count: tuple[tuple[datetime, datetime, int], tuple[int, datetime | None]] | None = None

    def next_after(self, instant: datetime) -> datetime | None:
        latest = self._latest_answer
        if latest is not None and latest[0] == instant:
            return latest[1]
        found = next(self._after(instant), None)
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
        number, last = 1, start
        for found in self._after(start):
            if found > end or number >= limit:
                break
            number, last = number + 1, found
        return number, last

    def _after(self, instant: datetime) -> Iterator[datetime]:
        """Yield the nominal times after *instant*, strictly increasing."""
        last = instant
        try:
            for local in CronSim(self._expression, instant.astimezone(self._zone)):
                found = local.astimezone(UTC)
                # Asked inside a repeated hour, cronsim can answer with an instant before the start.
                if found > last:
                    yield found
                    last = found
        except OverflowError:
            return  # the calendar ends with the year 9999


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
        # Some systems keep more than the zones beside them: with leap seconds, or the machine's own.
        if name not in _NOT_IANA and not name.startswith(("posix/", "right/")):
            return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise ValueError(f"`{name}` is not a time zone") from error
    raise ValueError(f"`{name}` is not a time zone")
