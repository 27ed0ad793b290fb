"""What became of the calendars that a task names: their days before and after, in a line."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date

from taskcfg.errors import count
from taskcfg.spec.calendar import Calendar
from taskcfg.spec.schedule import Qualified, Schedule, Union, parts_of
from taskcfg.spec.times.days import WEEKDAYS

SHOWN = 3
"""So many of the dates at most are named."""


def calendar_changes(
    before: Schedule, after: Schedule, today: date | None = None
) -> Iterator[tuple[str, str]]:
    """Yield, for each calendar that both name and whose days differ, its field and what changed.

    The dates that are named are the next from *today* on.
    """
    field = "schedule" if isinstance(after, Union) else ""
    old = dict(_named(before))
    for (path, name), calendar in _named(after):
        was = old.get((path, name)) or next((each for (_, other), each in old.items() if other == name), None)
        if was is not None and was.digest != calendar.digest:
            yield field or f"schedule.{path}", f"{name}: {days_changed(was, calendar, today)}"


def _named(schedule: Schedule) -> list[tuple[tuple[str, str], Calendar]]:
    found: dict[tuple[str, str], Calendar] = {}
    whole = isinstance(schedule, Union)
    for part in parts_of(schedule):
        if isinstance(part, Qualified):
            for path, calendars in (("skip_on", part.skip_on), ("only_on", part.only_on)):
                for each in calendars:
                    found.setdefault(("" if whole else path, each.name), each)
    return list(found.items())


def days_changed(before: Calendar, after: Calendar, today: date | None = None) -> str:
    """Return the difference in words: `2 dates more, 1 less: +2026-12-24, +2026-12-31, -2027-01-06`."""
    more, less = after.dates - before.dates, before.dates - after.dates
    texts = []
    if more:
        texts.append(f"{count(len(more), 'date')} more")
    if less:
        texts.append(f"{len(less)} less" if more else f"{count(len(less), 'date')} less")
    texts += [f"{sign}{WEEKDAYS[number]}" for number, sign in _weekdays_changed(before, after)]
    signed = sorted([(day, "+") for day in more] + [(day, "-") for day in less])
    coming = [f"{sign}{day}" for day, sign in signed if today is None or day >= today]
    rest = ", …" if len(coming) > SHOWN else ""
    if coming:
        return f"{', '.join(texts)}: {', '.join(coming[:SHOWN])}{rest}"
    return ", ".join(texts) + (", all in the past" if signed else "")


def _weekdays_changed(before: Calendar, after: Calendar) -> Iterator[tuple[int, str]]:
    for number in range(7):
        was, now = before.weekdays >> number & 1, after.weekdays >> number & 1
        if was != now:
            yield number, "+" if now else "-"
