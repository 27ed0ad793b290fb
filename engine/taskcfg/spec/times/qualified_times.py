"""Nominal times kept within bounds, kept to some days, or put together from several schedules."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from itertools import islice
from zoneinfo import ZoneInfo

from taskcfg.spec.schedule import Dst
from taskcfg.spec.times.days import EVERY_DAY, DaysOfMonth
from taskcfg.spec.times.nominal import NominalTime, Times
from taskcfg.spec.times.wall_clock import WallClockTimes
from taskcfg.spec.times.wall_times import LONGEST_SEARCH, WallTimes

_MICROSECOND = timedelta(microseconds=1)
_EVERY_MONTH = (1 << 13) - 2
_FAR = timedelta(days=366 * LONGEST_SEARCH)


class BoundedTimes:
    """Those of *times* in [start, end); None is no bound."""

    def __init__(self, times: Times, start: datetime | None, end: datetime | None) -> None:
        self._times = times
        self._start = start
        self._end = end

    def next_after(self, instant: datetime) -> NominalTime | None:
        if self._start is not None:
            instant = max(instant, self._start - _MICROSECOND)
        found = self._times.next_after(instant)
        return None if found is None or (self._end is not None and found.at >= self._end) else found

    def previous_before(self, instant: datetime) -> NominalTime | None:
        if self._end is not None:
            instant = min(instant, self._end)
        found = self._times.previous_before(instant)
        return None if found is None or (self._start is not None and found.at < self._start) else found

    def count_between(self, start: datetime, end: datetime, limit: int) -> tuple[int, datetime | None]:
        if self._start is not None:
            start = max(start, self._start)
        if self._end is not None:
            end = min(end, self._end - _MICROSECOND)
        return self._times.count_between(start, end, limit)


class DayTimes:
    """Those of *times* that fall on *days* of the zone's calendar.

    For times that follow no clock on a wall; the days of cron rules are part of the rule.
    """

    def __init__(self, times: Times, days: DaysOfMonth, zone: ZoneInfo) -> None:
        self._times = times
        self._days = days
        self._starts = _midnights(days, zone)
        self._midnights = _midnights(EVERY_DAY, zone)

    def next_after(self, instant: datetime) -> NominalTime | None:
        found = self._times.next_after(instant)
        while found is not None and not self._has(found):
            start = self._starts.next_after(found.at)
            if start is None or start.at - instant > _FAR:
                return None
            found = self._times.next_after(start.at - _MICROSECOND)
        return found

    def previous_before(self, instant: datetime) -> NominalTime | None:
        found = self._times.previous_before(instant)
        while found is not None and not self._has(found):
            start = self._starts.previous_before(found.at)
            if start is None or instant - start.at > _FAR:
                return None
            end = self._midnights.next_after(start.at)
            found = self._times.previous_before(min(end.at if end else found.at, found.at))
        return found

    def count_between(self, start: datetime, end: datetime, limit: int) -> tuple[int, datetime | None]:
        number, last = 0, None
        found = self.next_after(start - _MICROSECOND)
        while found is not None and found.at <= end and limit > 0:
            midnight = self._midnights.next_after(found.at)
            until = end if midnight is None else min(end, midnight.at - _MICROSECOND)
            more, last = self._times.count_between(found.at, until, limit)
            number += more
            found = self.next_after(until)
        return number, last

    def _has(self, found: NominalTime) -> bool:
        day = found.local
        return bool(self._days.in_month(day.year, day.month) >> day.day & 1)


class UnitedTimes:
    """Whenever one of *parts* fires; an instant that several give counts once, as the first's."""

    def __init__(self, parts: Sequence[Times]) -> None:
        self._parts = parts

    def next_after(self, instant: datetime) -> NominalTime | None:
        found = [each for part in self._parts if (each := part.next_after(instant)) is not None]
        return min(found, key=_at, default=None)

    def previous_before(self, instant: datetime) -> NominalTime | None:
        found = [each for part in self._parts if (each := part.previous_before(instant)) is not None]
        return max(found, key=_at, default=None)

    def count_between(self, start: datetime, end: datetime, limit: int) -> tuple[int, datetime | None]:
        """Count as `Times` says: the densest part computes its times, those of the others are listed."""
        counted = [part.count_between(start, end, limit) for part in self._parts]
        if not counted:
            return 0, None
        most = max(range(len(counted)), key=lambda place: counted[place][0])
        others = UnitedTimes([part for place, part in enumerate(self._parts) if place != most])
        if sum(number for number, _ in counted) - counted[most][0] > limit:
            return self._listed(start, end, limit)
        own = self._parts[most]
        number = counted[most][0] + sum(not _gives(own, each) for each in others._between(start, end))
        return number, max((last for _, last in counted if last is not None), default=None)

    def _listed(self, start: datetime, end: datetime, limit: int) -> tuple[int, datetime | None]:
        latest = deque(enumerate(islice(self._between(start, end), limit), 1), maxlen=1)
        return latest[0] if latest else (0, None)

    def _between(self, start: datetime, end: datetime) -> Iterator[datetime]:
        found = self.next_after(start - _MICROSECOND)
        while found is not None and found.at <= end:
            yield found.at
            found = self.next_after(found.at)


def _midnights(days: DaysOfMonth, zone: ZoneInfo) -> WallClockTimes:
    """Return when each of *days* begins."""
    return WallClockTimes(WallTimes(1, 1, days, _EVERY_MONTH), zone, Dst(), real=False)


def _gives(times: Times, instant: datetime) -> bool:
    found = times.next_after(instant - _MICROSECOND)
    return found is not None and found.at == instant


def _at(found: NominalTime) -> datetime:
    return found.at
