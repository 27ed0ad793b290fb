"""Calendars: named sets of days that a schedule is kept from, or kept to."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from taskcfg.spec.times.days import WEEKDAYS, every_weekday


@dataclass(frozen=True, slots=True)
class Calendar:
    """The days of `dates`, and every one of `weekdays` (bits: 0 for Sunday to 6 for Saturday).

    `digest` stands for these days: calendars that name the same days have the same. Country
    holidays are dates here: they are worked out when the calendar's file is read.
    """

    name: str
    digest: str
    weekdays: int = field(compare=False)
    dates: frozenset[date] = field(compare=False, repr=False)
    _months: Mapping[tuple[int, int], int] = field(compare=False, repr=False)

    def in_month(self, year: int, month: int) -> int:
        """Return the days of that month as bits, bit 1 being the first; bits beyond its end may be set."""
        return self._months.get((year, month), 0) | every_weekday(self.weekdays, year, month)

    def document(self) -> dict[str, Any]:
        """Return the canonical JSON of its days: what its digest is made of."""
        return _document(self.dates, self.weekdays)


def calendar_of(name: str, dates: Iterable[date], weekdays: int = 0) -> Calendar:
    """Return the calendar *name* of these days; *weekdays* as bits, 0 for Sunday."""
    days = frozenset(dates)
    months: dict[tuple[int, int], int] = {}
    for day in days:
        months[day.year, day.month] = months.get((day.year, day.month), 0) | 1 << day.day
    text = json.dumps(_document(days, weekdays), sort_keys=True, separators=(",", ":"))
    return Calendar(name, hashlib.sha256(text.encode()).hexdigest(), weekdays, days, months)


def calendar_from_document(name: str, document: Mapping[str, Any]) -> Calendar:
    """Return the calendar whose days `Calendar.document` wrote. Raises ValueError, KeyError or TypeError."""
    weekdays = sum(1 << WEEKDAYS.index(day) for day in document["weekdays"])
    return calendar_of(name, map(date.fromisoformat, document["dates"]), weekdays)


def _document(dates: Iterable[date], weekdays: int) -> dict[str, Any]:
    return {
        "dates": sorted(day.isoformat() for day in dates),
        "weekdays": [name for number, name in enumerate(WEEKDAYS) if weekdays >> number & 1],
    }
