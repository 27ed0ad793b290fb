"""Another reader of cron text, for the oracle: sets of numbers, and days looked at one by one.

It reads good text only, and shares nothing with the reader that it is there to judge.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta

WEEK = ("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT")
YEAR = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
DAYS = {name: number for number, name in enumerate(WEEK)}
MONTHS = {name: number for number, name in enumerate(YEAR, 1)}
NICKNAMES = {
    "@yearly": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@hourly": "0 * * * *",
}
LOWEST = {
    "second": "0",
    "minute": "0",
    "hour": "0",
    "day": "1",
    "month": "1",
    "day_of_week": "*",
    "year": "*",
}

Named = Callable[[date], bool]


@dataclass(frozen=True)
class Crontab:
    """The seconds, minutes and hours of its days; `fixed` if it has no `*` as minute or hour."""

    seconds: frozenset[int]
    minutes: frozenset[int]
    hours: frozenset[int]
    is_on: Named
    fixed: bool


def crontab(text: str) -> Crontab:
    """Read five fields, six with seconds first, or a nickname."""
    fields = NICKNAMES.get(text, text).upper().split()
    second, minute, hour, day, month, weekday = fields if len(fields) == 6 else ["0", *fields]
    in_month, on_number, on_weekday = _months(month), _numbers(day), _weekdays(weekday)
    if day[0] == "*" or weekday[0] == "*":
        return _crontab(second, minute, hour, lambda on: in_month(on) and on_number(on) and on_weekday(on))
    return _crontab(second, minute, hour, lambda on: in_month(on) and (on_number(on) or on_weekday(on)))


def named_fields(given: Mapping[str, str]) -> Crontab:
    """Read the form with named fields: all must hold, and finer than the finest given is the lowest."""
    names = list(LOWEST)
    finest = min(names.index("day" if name == "day_of_week" else name) for name in given)
    says = {name: LOWEST[name] if names.index(name) < finest else "*" for name in names}
    says.update({name: text.upper() for name, text in given.items()})
    in_month, on_number, on_weekday = (
        _months(says["month"]),
        _numbers(says["day"]),
        _weekdays(says["day_of_week"]),
    )
    in_year = values(says["year"], 1970, 2199)

    def is_on(on: date) -> bool:
        return on.year in in_year and in_month(on) and on_number(on) and on_weekday(on)

    return _crontab(says["second"], says["minute"], says["hour"], is_on)


def values(text: str, lowest: int, highest: int, names: Mapping[str, int] | None = None) -> frozenset[int]:
    found: set[int] = set()
    for term in text.split(","):
        span, _, step = term.partition("/")
        first, dash, last = span.partition("-")
        start = lowest if first == "*" else _value(first, names)
        end = highest if first == "*" or (step and not dash) else _value(last or first, names)
        # a range that goes down is one of weekdays, over the week's end
        found.update(range(start, end + (8 if end < start else 1), int(step or 1)))
    return frozenset(found)


def _value(text: str, names: Mapping[str, int] | None) -> int:
    return names[text] if names and text in names else int(text)


def _crontab(second: str, minute: str, hour: str, is_on: Named) -> Crontab:
    fixed = minute[0] != "*" and hour[0] != "*"
    return Crontab(values(second, 0, 59), values(minute, 0, 59), values(hour, 0, 23), is_on, fixed)


def _months(text: str) -> Named:
    months = values(text, 1, 12, MONTHS)
    return lambda on: on.month in months


def _numbers(text: str) -> Named:
    terms = text.split(",")
    numbers = frozenset[int]().union(*(values(term, 1, 31) for term in terms if term not in ("L", "LW")))
    last, last_workday = "L" in terms, "LW" in terms
    return lambda on: on.day in numbers or (last and _is_last(on)) or (last_workday and _is_last_workday(on))


def _weekdays(text: str) -> Named:
    tests = [_weekday(term) for term in text.split(",")]
    return lambda on: any(holds(on) for holds in tests)


def _weekday(term: str) -> Named:
    if "#" in term:
        day, _, nth = term.partition("#")
        return lambda on: _is(on, {_value(day, DAYS)}) and (on.day - 1) // 7 + 1 == int(nth)
    if term.endswith("L"):
        return lambda on: _is(on, {_value(term[:-1], DAYS)}) and (on + timedelta(days=7)).month != on.month
    found = values(term, 0, 7, DAYS)
    return lambda on: _is(on, found)


def _is(on: date, weekdays: set[int] | frozenset[int]) -> bool:
    return on.isoweekday() % 7 in {each % 7 for each in weekdays}


def _is_last(on: date) -> bool:
    return (on + timedelta(days=1)).month != on.month


def _is_last_workday(on: date) -> bool:
    later = [on + timedelta(days=by) for by in range(1, 4)]
    return on.isoweekday() < 6 and all(each.month != on.month or each.isoweekday() > 5 for each in later)
