"""The wall-clock times that a schedule names, whatever a zone's clocks do."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date

from taskcfg.spec.times.cron_terms import FIRST_YEAR as FIRST_NAMED_YEAR
from taskcfg.spec.times.cron_terms import LAST_YEAR as LAST_NAMED_YEAR
from taskcfg.spec.times.days import DaysOfMonth

DAY = 86_400
EPOCH_DAY = date(1970, 1, 1).toordinal()

LONGEST_SEARCH = 50
"""Years: no set of days recurs more rarely and yet does. A 29 February on one weekday takes 40."""

FIRST_YEAR, LAST_YEAR = 2, 9998
"""In the years 1 and 9999 a zone's clocks may be outside the calendar."""


@dataclass(slots=True)
class WallTimes:
    """The given seconds and minutes (bits 0 to 59) of `hours` (0 to 23) on `days` in `months` (1 to 12).

    `years` has a bit for each year, from 1970 on to 2199; None is every year there is. A wall time
    is a number of seconds since 1970-01-01T00:00 on the wall's own clock.
    """

    minutes: int
    hours: int
    days: DaysOfMonth
    months: int
    seconds: int = 1
    years: int | None = None
    _month: tuple[int, int, int] = field(default=(0, 0, 0), init=False, repr=False, compare=False)

    def at_or_after(self, wall: int) -> int | None:
        """Return the first of these times that is not before *wall*, None if none comes in 50 years."""
        days, seconds = divmod(wall, DAY)
        today = date.fromordinal(days + EPOCH_DAY)
        year, month, day = today.year, today.month, today.day
        if self._days_of(year, month) >> day & 1:
            time = self._time_at_or_after(seconds)
            if time is not None:
                return days * DAY + time
        found = self._next_day(year, month, day)
        return None if found is None else found * DAY + self._first_time()

    def at_or_before(self, wall: int) -> int | None:
        """Return the last of these times that is not after *wall*, None if none is in the 50 years before."""
        days, seconds = divmod(wall, DAY)
        today = date.fromordinal(days + EPOCH_DAY)
        year, month, day = today.year, today.month, today.day
        if self._days_of(year, month) >> day & 1:
            time = self._time_at_or_before(seconds)
            if time is not None:
                return days * DAY + time
        found = self._previous_day(year, month, day)
        return None if found is None else found * DAY + self._last_time()

    def count(self, start: int, end: int) -> int:
        """Return how many of these times are in [start, end); the work grows with the months between."""
        if end <= start:
            return 0
        return self._up_to(end, start) - self._up_to(start, start)

    def _up_to(self, wall: int, start: int) -> int:
        """Return how many are before *wall*, counted from the first day of the month that *start* is in."""
        first = date.fromordinal(start // DAY + EPOCH_DAY)
        days, seconds = divmod(wall, DAY)
        last = date.fromordinal(days + EPOCH_DAY)
        each = self.seconds.bit_count() * self.minutes.bit_count() * self.hours.bit_count()
        number, year, month = 0, first.year, first.month
        while (year, month) < (last.year, last.month):
            number += self._days_of(year, month).bit_count() * each
            year, month = (year, month + 1) if month < 12 else (year + 1, 1)
        named = self._days_of(year, month)
        number += (named & (1 << last.day) - 1).bit_count() * each
        return number + (self._earlier_that_day(seconds) if named >> last.day & 1 else 0)

    def _earlier_that_day(self, second: int) -> int:
        """Return how many times of a day are before *second*."""
        minutes, second = divmod(second, 60)
        hour, minute = divmod(minutes, 60)
        number = (self.hours & (1 << hour) - 1).bit_count() * self.minutes.bit_count()
        if not self.hours >> hour & 1:
            return number * self.seconds.bit_count()
        number += (self.minutes & (1 << minute) - 1).bit_count()
        number *= self.seconds.bit_count()
        return number + (self.seconds & (1 << second) - 1).bit_count() * (self.minutes >> minute & 1)

    def _next_day(self, year: int, month: int, day: int) -> int | None:
        """Return the first named day after that date, counted from 1970-01-01."""
        last_year = min(self._search_from(year) + LONGEST_SEARCH, LAST_YEAR)
        rest = self._days_of(year, month) >> day + 1 << day + 1
        while not rest:
            year, month = (year, month + 1) if month < 12 else (year + 1, 1)
            if year > last_year:
                return None
            rest = self._days_of(year, month)
        return date(year, month, _lowest(rest)).toordinal() - EPOCH_DAY

    def _previous_day(self, year: int, month: int, day: int) -> int | None:
        """Return the last named day before that date, counted from 1970-01-01."""
        first_year = max(self._search_back_from(year) - LONGEST_SEARCH, FIRST_YEAR)
        rest = self._days_of(year, month) & (1 << day) - 1
        while not rest:
            year, month = (year, month - 1) if month > 1 else (year - 1, 12)
            if year < first_year:
                return None
            rest = self._days_of(year, month)
        return date(year, month, rest.bit_length() - 1).toordinal() - EPOCH_DAY

    def _search_from(self, year: int) -> int:
        """Return the year from which a search forward counts: no earlier than the first that is named."""
        if self.years is None:
            return year
        rest = self.years >> max(year - FIRST_NAMED_YEAR, 0)
        return max(year, FIRST_NAMED_YEAR) + _lowest(rest) if rest else year - LONGEST_SEARCH - 1

    def _search_back_from(self, year: int) -> int:
        if self.years is None:
            return year
        number = min(year, LAST_NAMED_YEAR) - FIRST_NAMED_YEAR
        rest = self.years & (2 << number) - 1 if number >= 0 else 0
        return FIRST_NAMED_YEAR + rest.bit_length() - 1 if rest else year + LONGEST_SEARCH + 1

    def _days_of(self, year: int, month: int) -> int:
        known = self._month
        if known[0] != year or known[1] != month:
            named = self.months >> month & 1 and (self.years is None or self._names_year(year))
            self._month = known = (year, month, self.days.in_month(year, month) if named else 0)
        return known[2]

    def _names_year(self, year: int) -> bool:
        named = FIRST_NAMED_YEAR <= year <= LAST_NAMED_YEAR
        return named and self.years is not None and bool(self.years >> year - FIRST_NAMED_YEAR & 1)

    def _time_at_or_after(self, second_of_day: int) -> int | None:
        """Return the first second of a day that is not before *second_of_day*."""
        minutes, second = divmod(second_of_day, 60)
        hour, minute = divmod(minutes, 60)
        if self.hours >> hour & 1:
            if self.minutes >> minute & 1 and (seconds := self.seconds >> second):
                return second_of_day + _lowest(seconds)
            rest = self.minutes >> minute + 1
            if rest:
                return (minutes + 1 + _lowest(rest)) * 60 + _lowest(self.seconds)
        hours = self.hours >> hour + 1
        if not hours:
            return None
        return ((hour + 1 + _lowest(hours)) * 60 + _lowest(self.minutes)) * 60 + _lowest(self.seconds)

    def _time_at_or_before(self, second_of_day: int) -> int | None:
        """Return the last second of a day that is not after *second_of_day*."""
        minutes, second = divmod(second_of_day, 60)
        hour, minute = divmod(minutes, 60)
        if self.hours >> hour & 1:
            if self.minutes >> minute & 1 and (seconds := self.seconds & (2 << second) - 1):
                return minutes * 60 + _highest(seconds)
            rest = self.minutes & (1 << minute) - 1
            if rest:
                return (hour * 60 + _highest(rest)) * 60 + _highest(self.seconds)
        hours = self.hours & (1 << hour) - 1
        if not hours:
            return None
        return (_highest(hours) * 60 + _highest(self.minutes)) * 60 + _highest(self.seconds)

    def _first_time(self) -> int:
        return (_lowest(self.hours) * 60 + _lowest(self.minutes)) * 60 + _lowest(self.seconds)

    def _last_time(self) -> int:
        return (_highest(self.hours) * 60 + _highest(self.minutes)) * 60 + _highest(self.seconds)


def _lowest(mask: int) -> int:
    """Return the number of the lowest bit that is set."""
    return (mask & -mask).bit_length() - 1


def _highest(mask: int) -> int:
    """Return the number of the highest bit that is set."""
    return mask.bit_length() - 1
