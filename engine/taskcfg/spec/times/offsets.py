"""A zone's clock as stretches of time in which its offset from UTC stays the same."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from taskcfg.spec.times.wall_times import DAY, EPOCH_DAY, FIRST_YEAR, LAST_YEAR

MOST_YEARS = 64
"""So many years of a zone are remembered."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_END = (date(LAST_YEAR + 1, 1, 1).toordinal() - EPOCH_DAY) * DAY
_BEGINNING = (date(FIRST_YEAR, 1, 1).toordinal() - EPOCH_DAY) * DAY


@dataclass(frozen=True, slots=True)
class Stretch:
    """From `start` until before `end`, seconds since 1970 UTC, a zone is `offset` seconds ahead of UTC.

    `before` is the offset just before `start`. Where it is smaller, clocks skip the wall times
    from `start + before` to before `start + offset`; where larger, they show those from
    `start + offset` to before `start + before` again.
    """

    start: int
    end: int
    offset: int
    before: int


class Offsets:
    """What is known of one zone's clock, worked out a year at a time."""

    def __init__(self, zone: ZoneInfo) -> None:
        self._zone = zone
        self._years: dict[int, tuple[Stretch, ...]] = {}

    def stretches(self, second: int) -> Iterator[Stretch]:
        """Yield the stretch that holds *second*, and those that follow, until the calendar ends.

        A stretch may end where nothing changes.
        """
        year = (_EPOCH + timedelta(seconds=min(max(second, _BEGINNING), _END))).year
        while year <= LAST_YEAR:
            for stretch in self._in_year(year):
                if stretch.end > second:
                    yield stretch
            year += 1

    def stretches_back(self, second: int) -> Iterator[Stretch]:
        """Yield the stretch that holds the second before *second*, and those before it, latest first."""
        year = (_EPOCH + timedelta(seconds=min(max(second - 1, _BEGINNING), _END - 1))).year
        while year >= FIRST_YEAR:
            for stretch in reversed(self._in_year(year)):
                if stretch.start < second:
                    yield stretch
            year -= 1

    def _in_year(self, year: int) -> tuple[Stretch, ...]:
        known = self._years.get(year)
        if known is None:
            if len(self._years) >= MOST_YEARS:
                self._years.clear()
            known = self._years[year] = tuple(self._worked_out(year))
        return known

    def _worked_out(self, year: int) -> Iterator[Stretch]:
        start, end = _new_year(year), _new_year(year + 1)
        before = self._offset(start - 1)
        while start < end:
            offset = self._offset(start)
            change = self._next_change(start, end, offset)
            yield Stretch(start, change, offset, before)
            start, before = change, offset

    def _next_change(self, start: int, end: int, offset: int) -> int:
        """Return the first second after *start* with another offset, *end* if there is none before it.

        Looks once a day: no zone has changed its clocks and changed them back within one.
        """
        if self._zone.utcoffset(None) is not None:
            return end  # a zone of one offset
        same = start
        while same < end:
            later = min(same + DAY, end)
            if self._offset(later) != offset:
                break
            same = later
        else:
            return end
        while later - same > 1:
            middle = (same + later) // 2
            if self._offset(middle) == offset:
                same = middle
            else:
                later = middle
        return later

    def _offset(self, second: int) -> int:
        offset = (_EPOCH + timedelta(seconds=second)).astimezone(self._zone).utcoffset()
        return round(offset.total_seconds()) if offset is not None else 0


@lru_cache(maxsize=1024)
def offsets_of(zone: ZoneInfo) -> Offsets:
    """Return what this process knows of *zone*'s clock."""
    return Offsets(zone)


def _new_year(year: int) -> int:
    return (date(year, 1, 1).toordinal() - EPOCH_DAY) * DAY
