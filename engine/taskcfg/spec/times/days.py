"""Which days of a month a schedule names, as a bit mask: bit 1 is the first day."""

from __future__ import annotations

from calendar import monthrange
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Protocol

LAST = -1
"""As the number of a weekday in its month: the last one."""

WEEKDAYS = ("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT")
"""Short names of the weekdays; their places are their numbers, Sunday being 0."""

ALL_DAYS = (1 << 32) - 2
ALL_WEEKDAYS = 0b1111111

_EVERY_SEVENTH = sum(1 << 7 * week for week in range(5))


class DaysOfMonth(Protocol):
    """A set of days that can be asked for those of one month."""

    def in_month(self, year: int, month: int) -> int:
        """Return the mask of its days in that month; bits beyond the month's end may be set."""


@dataclass(frozen=True, slots=True)
class Days:
    """Days by their number in the month and by weekday; `both`: a day must be named by either.

    `numbers` has bits 1 to 31, `weekdays` bit 0 for Sunday to 6 for Saturday. `last` is the month's
    last day, `last_workday` its last day from Monday to Friday. `nth` are weekdays (0 Sunday) with
    their number in the month, 1 to 5 or LAST.
    """

    numbers: int = ALL_DAYS
    weekdays: int = ALL_WEEKDAYS
    both: bool = True
    last: bool = False
    last_workday: bool = False
    nth: tuple[tuple[int, int], ...] = ()

    def in_month(self, year: int, month: int) -> int:
        """Return the mask of the named days that this month has."""
        length = monthrange(year, month)[1]
        existing = (2 << length) - 2
        first = _first_weekday(year, month)
        by_number = self._by_number(first, length)
        by_weekday = self._by_weekday(first, length)
        return existing & (by_number & by_weekday if self.both else by_number | by_weekday)

    def _by_number(self, first: int, length: int) -> int:
        mask = self.numbers
        if self.last:
            mask |= 1 << length
        if self.last_workday:
            weekday = (first + length - 1) % 7
            mask |= 1 << length - {0: 2, 6: 1}.get(weekday, 0)
        return mask

    def _by_weekday(self, first: int, length: int) -> int:
        mask = _on_weekdays(self.weekdays, first)
        for weekday, number in self.nth:
            day = _earliest(weekday, first) + 7 * ((number if number != LAST else 5) - 1)
            if number == LAST and day > length:
                day -= 7
            mask |= 1 << day
        return mask


@dataclass(frozen=True, slots=True)
class OpenDays:
    """Of `days`, those that none of `skipped` has and, where there are `only`, that one of them has."""

    days: DaysOfMonth
    skipped: Sequence[DaysOfMonth] = ()
    only: Sequence[DaysOfMonth] = ()

    def in_month(self, year: int, month: int) -> int:
        mask = self.days.in_month(year, month)
        if mask and self.only:
            kept = 0
            for days in self.only:
                kept |= days.in_month(year, month)
            mask &= kept
        for days in self.skipped:
            mask &= ~days.in_month(year, month)
        return mask


EVERY_DAY = Days()


def every_weekday(weekdays: int, year: int, month: int) -> int:
    """Return the mask of the days of a month that are one of *weekdays* (bits, 0 for Sunday)."""
    return _on_weekdays(weekdays, _first_weekday(year, month)) if weekdays else 0


def _on_weekdays(weekdays: int, first: int) -> int:
    if weekdays == ALL_WEEKDAYS:
        return ALL_DAYS
    mask = 0
    for weekday in range(7):
        if weekdays >> weekday & 1:
            mask |= _EVERY_SEVENTH << _earliest(weekday, first)
    return mask


def _first_weekday(year: int, month: int) -> int:
    return date(year, month, 1).toordinal() % 7  # Sunday is 0


def _earliest(weekday: int, first: int) -> int:
    """Return the first day of a month that is a *weekday*, the month beginning with weekday *first*."""
    return 1 + (weekday - first) % 7
