"""The wall-clock times that a schedule names, whatever a zone's clocks do."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date

from taskcfg.spec.days import Days

DAY = 86_400
EPOCH_DAY = date(1970, 1, 1).toordinal()

LONGEST_SEARCH = 50
"""Years: no set of days recurs more rarely and yet does. A 29 February on one weekday takes 40."""

LAST_YEAR = 9998
"""In the year 9999 a zone's clocks may already be past the end of the calendar."""


@dataclass(slots=True)
class WallTimes:
    """Every minute of `minutes` (bits 0 to 59), in `hours` (0 to 23), on `days`, in `months` (1 to 12).

    A wall time is a number of seconds since 1970-01-01T00:00 on the wall's own clock.
    """

    minutes: int
    hours: int
    days: Days
    months: int
    _month: tuple[int, int, int] = field(default=(0, 0, 0), repr=False, compare=False)

    def at_or_after(self, wall: int) -> int | None:
        """Return the first of these times that is not before *wall*, None if none comes in 50 years."""
        days, seconds = divmod(wall, DAY)
        today = date.fromordinal(days + EPOCH_DAY)
        year, month, day = today.year, today.month, today.day
        if self._days_of(year, month) >> day & 1:
            time = self._time_at_or_after(-(-seconds // 60))
            if time is not None:
                return days * DAY + time * 60
        found = self._next_day(year, month, day)
        return None if found is None else found * DAY + self._first_time() * 60

    def _next_day(self, year: int, month: int, day: int) -> int | None:
        """Return the first named day after that date, counted from 1970-01-01."""
        last_year = min(year + LONGEST_SEARCH, LAST_YEAR)
        rest = self._days_of(year, month) >> day + 1 << day + 1
        while not rest:
            year, month = (year, month + 1) if month < 12 else (year + 1, 1)
            if year > last_year:
                return None
            rest = self._days_of(year, month)
        return date(year, month, _lowest(rest)).toordinal() - EPOCH_DAY

    def _days_of(self, year: int, month: int) -> int:
        if not self.months >> month & 1:
            return 0
        known = self._month
        if known[0] != year or known[1] != month:
            self._month = known = (year, month, self.days.in_month(year, month))
        return known[2]

    def _time_at_or_after(self, minute_of_day: int) -> int | None:
        """Return the first minute of a day that is not before *minute_of_day*."""
        hour, minute = divmod(minute_of_day, 60)
        if self.hours >> hour & 1:
            minutes = self.minutes >> minute
            if minutes:
                return minute_of_day + _lowest(minutes)
        hours = self.hours >> hour + 1
        return (hour + 1 + _lowest(hours)) * 60 + _lowest(self.minutes) if hours else None

    def _first_time(self) -> int:
        return _lowest(self.hours) * 60 + _lowest(self.minutes)


def _lowest(mask: int) -> int:
    """Return the number of the lowest bit that is set."""
    return (mask & -mask).bit_length() - 1
