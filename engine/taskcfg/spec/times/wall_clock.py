"""The instants at which a zone's clock shows the times that a cron rule names."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from taskcfg.spec.schedule import EPOCH, Dst, Gap, Repeat
from taskcfg.spec.times.nominal import NominalTime
from taskcfg.spec.times.offsets import Stretch, offsets_of
from taskcfg.spec.times.wall_times import DAY, LONGEST_SEARCH, WallTimes

_SECOND = timedelta(seconds=1)
_LONGEST_SEARCH = LONGEST_SEARCH * 366 * DAY
_WALL_EPOCH = EPOCH.replace(tzinfo=None)
_REAL_TIME = Dst(Gap.SKIP, Repeat.BOTH)
"""What follows real time does not run for what clocks skip, and runs for both of what they show twice."""


class WallClockTimes:
    """Times on the wall as instants: through each stretch of one offset, and over the changes between.

    Where clocks skip a fixed time, it fires at the change, once however many are skipped
    (`gap: run_after`); where they show it twice, the first counts (`overlap: first`): so does
    Debian's cron.
    """

    def __init__(self, times: WallTimes, zone: ZoneInfo, dst: Dst, *, real: bool) -> None:
        dst = _REAL_TIME if real else dst
        self._times = times
        self._zone = zone
        self._run_after = dst.gap is Gap.RUN_AFTER
        self._once = dst.overlap is Repeat.FIRST
        self._offsets = offsets_of(zone)

    def next_after(self, instant: datetime) -> NominalTime | None:
        return self._nominal(self._after((instant - EPOCH) // _SECOND))

    def previous_before(self, instant: datetime) -> NominalTime | None:
        return self._nominal(self._before(-(-(instant - EPOCH) // _SECOND)))

    def count_between(self, start: datetime, end: datetime, limit: int) -> tuple[int, datetime | None]:
        first, until = -(-(start - EPOCH) // _SECOND), (end - EPOCH) // _SECOND + 1
        last = self._before(until)
        if last is None or last[0] < first or limit <= 0:
            return 0, None
        number = sum(self._count_in(stretch, first, until) for stretch in self._over(first, until))
        return number, EPOCH + timedelta(seconds=last[0])

    def _nominal(self, found: tuple[int, int | None] | None) -> NominalTime | None:
        if found is None:
            return None
        second, skipped = found
        wall = None if skipped is None else _WALL_EPOCH + timedelta(seconds=skipped)
        return NominalTime(EPOCH + timedelta(seconds=second), self._zone, wall)

    def _after(self, second: int) -> tuple[int, int | None] | None:
        """Return the first nominal time after *second*, and the wall time where clocks skipped it.

        Seconds count from 1970: in UTC, or on the wall.
        """
        wall = latest = None
        for stretch in self._offsets.stretches(second + 1):
            start = max(second + 1, stretch.start)
            if start == stretch.start and (skipped := self._skipped(stretch, wall)) is not None:
                return start, skipped
            earliest = start + stretch.offset
            if self._once:
                earliest = max(earliest, stretch.start + stretch.before)  # what is shown again is over
            if wall is None or wall < earliest or not self._once:
                wall = self._times.at_or_after(earliest)
                if wall is None:
                    return None
                latest = latest or wall + _LONGEST_SEARCH
                if wall > latest:
                    return None  # clocks skip each of them
            if wall - stretch.offset < stretch.end:
                return wall - stretch.offset, None
        return None  # the calendar ends

    def _before(self, second: int) -> tuple[int, int | None] | None:
        """Return the last nominal time before *second*, and the wall time where clocks skipped it."""
        earliest = None
        for stretch in self._offsets.stretches_back(second):
            wall = self._times.at_or_before(min(second, stretch.end) - 1 + stretch.offset)
            if wall is not None and wall >= self._earliest(stretch):
                found = wall - stretch.offset
                return found, self._skipped(stretch) if found == stretch.start else None
            if (skipped := self._skipped(stretch)) is not None:
                return stretch.start, skipped
            if wall is None:
                return None
            earliest = earliest or wall - _LONGEST_SEARCH
            if wall < earliest:
                return None  # clocks skip each of them
        return None  # the calendar begins

    def _earliest(self, stretch: Stretch) -> int:
        """Return the first wall time of *stretch* that counts."""
        return stretch.start + (max(stretch.offset, stretch.before) if self._once else stretch.offset)

    def _skipped(self, stretch: Stretch, wall: int | None = None) -> int | None:
        """Return the first of the times that clocks skip as *stretch* begins, if one is made up for then.

        *wall* is the next time that is known, if one is.
        """
        if stretch.offset <= stretch.before or not self._run_after:
            return None
        first = stretch.start + stretch.before
        if wall is None or wall < first:
            wall = self._times.at_or_after(first)
        return wall if wall is not None and wall < stretch.start + stretch.offset else None

    def _over(self, first: int, until: int) -> Iterator[Stretch]:
        for stretch in self._offsets.stretches(first):
            if stretch.start >= until:
                return
            yield stretch

    def _count_in(self, stretch: Stretch, first: int, until: int) -> int:
        """Return how many nominal times *stretch* has in [first, until)."""
        start = max(first + stretch.offset, self._earliest(stretch))
        number = self._times.count(start, min(until, stretch.end) + stretch.offset)
        if first <= stretch.start and self._skipped(stretch) is not None:
            shown = stretch.start + stretch.offset
            number += self._times.at_or_after(shown) != shown
        return number
