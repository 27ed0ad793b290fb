"""A calendar file to a calendar: dates, weekdays and a country's holidays, and every problem at once."""

from __future__ import annotations

import re
from datetime import date
from typing import Any

from yaml.nodes import MappingNode, Node, SequenceNode

from taskcfg.problems import Position, Severity
from taskcfg.source.calendars.holiday_dates import LAST_YEAR as LAST_HOLIDAYS
from taskcfg.source.calendars.holiday_dates import UnknownHolidays, holiday_dates
from taskcfg.source.findings import Findings, did_you_mean
from taskcfg.source.nodes import Entries, entries_of, is_null, value_of
from taskcfg.source.yaml_reader import read_yaml
from taskcfg.spec.calendar import Calendar, calendar_of
from taskcfg.spec.shown import shown
from taskcfg.spec.times.cron_terms import FIRST_YEAR, LAST_YEAR, NUMBERINGS
from taskcfg.spec.times.days import WEEKDAYS

FIELDS = ("dates", "weekdays", "holidays")
HOLIDAY_FIELDS = ("country", "subdivision")
_FULL_NAMES = ("SUNDAY", "MONDAY", "TUESDAY", "WEDNESDAY", "THURSDAY", "FRIDAY", "SATURDAY")
_DATE = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
_NEAR_DATE = re.compile(r"(\d{4})[-/.](\d{1,2})[-/.](\d{1,2})(?:[Tt ].*)?", re.ASCII)


def read_calendar(content: bytes, name: str, findings: Findings) -> Calendar | None:
    """Return the calendar *name* that a file's *content* writes, or None when *findings* got why not."""
    roots = [root for root in read_yaml(content, findings) if not is_null(root)]
    if not roots:
        if not findings.problems:
            findings.add(Position(findings.file, 1, 1), "the calendar names no days", hint=_EXAMPLE)
        return None
    for root in roots[1:]:
        findings.add(root, "a calendar is one document", hint="write a file for each calendar")
    reader = _CalendarReader(findings)
    calendar = reader.read(name, roots[0])
    failed = any(problem.severity is Severity.ERROR for problem in findings.problems)
    return None if failed else calendar


_EXAMPLE = "write `dates: [2026-12-24]`, `weekdays: [SAT, SUN]` or `holidays: {country: DE}`"


class _CalendarReader:
    def __init__(self, findings: Findings) -> None:
        self._findings = findings

    def read(self, name: str, root: Node) -> Calendar | None:
        if not isinstance(root, MappingNode):
            found = shown(value_of(root, self._findings))
            self._findings.add(root, f"expected a mapping, found {found}", hint=_EXAMPLE)
            return None
        entries = entries_of(root, self._findings)
        for field, (key, _) in entries.items():
            if field not in FIELDS and not field.startswith("x-"):
                self._add(field, key, "unknown field", did_you_mean(field, FIELDS))
        if not any(field in FIELDS for field in entries):
            self._findings.add(root, "has none of `dates`, `weekdays` and `holidays`", hint=_EXAMPLE)
            return None
        dates = self._dates(entries) | self._holidays(entries)
        weekdays = self._weekdays(entries)
        if not dates and not weekdays and not self._findings.problems:
            message = "the calendar names no days"
            self._findings.add(root, message, severity=Severity.WARNING)
        return calendar_of(name, dates, weekdays)

    def _add(self, field: str, place: Node, message: str, hint: str | None = None) -> None:
        self._findings.add(place, f"{field}: {message}", hint=hint, field=field)

    def _items(self, field: str, entries: Entries, example: str) -> list[Node]:
        """Return the elements of the list *field*; none where there is no such field, or no list."""
        if field not in entries or is_null(entries[field][1]):
            return []
        node = entries[field][1]
        if isinstance(node, SequenceNode):
            return list(node.value)
        found = shown(value_of(node, self._findings))
        self._add(field, node, f"expected a list, found {found}", f"write `{field}: {example}`")
        return []

    def _dates(self, entries: Entries) -> set[date]:
        nodes = self._items("dates", entries, "[2026-12-24, 2026-12-31]")
        return {day for node in nodes if (day := self._date(node)) is not None}

    def _date(self, node: Node) -> date | None:
        value = value_of(node, self._findings)
        try:
            if not isinstance(value, str) or not _DATE.fullmatch(value):
                raise ValueError("not of the form")
            day = date.fromisoformat(value)
        except ValueError:
            self._add("dates", node, f"expected a date, found {shown(value)}", _meant_date(value))
            return None
        if FIRST_YEAR <= day.year <= LAST_YEAR:
            return day
        self._add("dates", node, f"{shown(value)} is not within the years {FIRST_YEAR}-{LAST_YEAR}")
        return None

    def _weekdays(self, entries: Entries) -> int:
        mask = 0
        for node in self._items("weekdays", entries, "[SAT, SUN]"):
            mask |= self._weekday(node)
        return mask

    def _weekday(self, node: Node) -> int:
        """Return the weekday's bit, 0 when it is none."""
        value = value_of(node, self._findings)
        word = str(value).upper()
        for known in (WEEKDAYS, _FULL_NAMES):
            if word in known:
                return 1 << known.index(word)
        if isinstance(value, int | float) or word.isdecimal():
            number = int(word) if word in tuple("01234567") else None
            meant = None if number is None else WEEKDAYS[number % 7]
            hint = (
                f"write its name: {meant}, if you mean crontab's" if meant else "write names, such as `SAT`"
            )
            message = f"{shown(value)} is a number, and weekdays have several: {NUMBERINGS}"
            self._add("weekdays", node, message, hint)
        else:
            near = did_you_mean(word, _FULL_NAMES) if len(word) > 4 else None
            listed = ", ".join(f"`{name}`" for name in WEEKDAYS)
            self._add("weekdays", node, f"no weekday is named {shown(value)}", near or f"expected {listed}")
        return 0

    def _holidays(self, entries: Entries) -> frozenset[date]:
        if "holidays" not in entries or is_null(entries["holidays"][1]):
            return frozenset()
        key, node = entries["holidays"]
        if not isinstance(node, MappingNode):
            found = shown(value_of(node, self._findings))
            hint = "write `holidays: {country: DE, subdivision: BE}`"
            self._add("holidays", node, f"expected a mapping, found {found}", hint)
            return frozenset()
        fields = entries_of(node, self._findings)
        for name, (unknown, _) in fields.items():
            if name not in HOLIDAY_FIELDS:
                self._add(f"holidays.{name}", unknown, "unknown field", did_you_mean(name, HOLIDAY_FIELDS))
        country, subdivision = (self._code(name, fields) for name in HOLIDAY_FIELDS)
        if "country" not in fields or is_null(fields["country"][1]):
            self._add("holidays.country", key, "missing", "write its ISO 3166 code, such as `DE` or `US`")
        if country is None:
            return frozenset()
        return self._holidays_of(country, subdivision, fields)

    def _code(self, name: str, fields: Entries) -> str | None:
        if name not in fields or is_null(fields[name][1]):
            return None
        value = value_of(fields[name][1], self._findings)
        if isinstance(value, str):
            return value
        hint = "put it in quotes" if isinstance(value, int | float) else None
        self._add(f"holidays.{name}", fields[name][1], f"expected text, found {shown(value)}", hint)
        return None

    def _holidays_of(self, country: str, subdivision: str | None, fields: Entries) -> frozenset[date]:
        try:
            found = holiday_dates(country, subdivision)
        except UnknownHolidays as error:
            self._add(f"holidays.{error.field}", fields[error.field][1], str(error), error.hint)
            return frozenset()
        if found.last_year < LAST_HOLIDAYS:
            message = f"holidays.country: those of `{country}` are known until {found.last_year} only"
            place = fields["country"][1]
            self._findings.add(place, message, field="holidays.country", severity=Severity.WARNING)
        return found.dates


def _meant_date(value: Any) -> str:
    near = _NEAR_DATE.fullmatch(value) if isinstance(value, str) else None
    if near:
        year, month, day = (int(part) for part in near.groups())
        try:
            return f"write `{date(year, month, day)}`"
        except ValueError:
            return "there is no such day"
    return "write it as `2026-12-24`"
