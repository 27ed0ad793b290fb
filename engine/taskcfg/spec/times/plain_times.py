"""Nominal times that follow no clock on a wall: intervals, and single instants."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from taskcfg.spec.times.nominal import NominalTime

SHORTEST_INTERVAL = timedelta(seconds=1)


class IntervalTimes:
    """*anchor* and every *interval* after it."""

    def __init__(self, interval: timedelta, anchor: datetime, zone: ZoneInfo) -> None:
        if interval < SHORTEST_INTERVAL:
            raise ValueError("the shortest interval is 1s")
        self._interval = interval
        self._anchor = anchor
        self._zone = zone

    def next_after(self, instant: datetime) -> NominalTime | None:
        if instant < self._anchor:
            return NominalTime(self._anchor, self._zone)
        try:
            steps = (instant - self._anchor) // self._interval + 1
            return NominalTime(self._anchor + steps * self._interval, self._zone)
        except OverflowError:
            return None

    def previous_before(self, instant: datetime) -> NominalTime | None:
        if instant <= self._anchor:
            return None
        steps = -((self._anchor - instant) // self._interval) - 1
        return NominalTime(self._anchor + steps * self._interval, self._zone)

    def count_between(self, start: datetime, end: datetime, limit: int) -> tuple[int, datetime | None]:
        found = self.next_after(start - timedelta(microseconds=1))
        if found is None or found.at > end or limit <= 0:
            return 0, None
        steps = (end - found.at) // self._interval
        return steps + 1, found.at + steps * self._interval


class InstantTimes:
    """Each of *instants*, which ascend."""

    def __init__(self, instants: tuple[datetime, ...], zone: ZoneInfo) -> None:
        self._instants = instants
        self._zone = zone

    def next_after(self, instant: datetime) -> NominalTime | None:
        return self._at(bisect_right(self._instants, instant))

    def previous_before(self, instant: datetime) -> NominalTime | None:
        return self._at(bisect_left(self._instants, instant) - 1)

    def count_between(self, start: datetime, end: datetime, limit: int) -> tuple[int, datetime | None]:
        found = self._instants[bisect_left(self._instants, start) : bisect_right(self._instants, end)]
        return (len(found), found[-1]) if found and limit > 0 else (0, None)

    def _at(self, place: int) -> NominalTime | None:
        return NominalTime(self._instants[place], self._zone) if 0 <= place < len(self._instants) else None
