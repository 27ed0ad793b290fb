"""Crontab text: what its five fields say, and what to say when they cannot be read."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from taskcfg.spec.days import LAST, Days
from taskcfg.spec.shown import shown
from taskcfg.spec.wall_times import WallTimes

LONGEST = 1000
LATER = "not supported by this version of taskcfg"
NICKNAMES = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
}
_DAYS = ("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT")
_MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
_SUNDAY = 0b10000001
"""Crontab's two numbers for Sunday, 0 and 7, as bits."""


class InvalidCron(ValueError):
    """An expression that cannot be read, never fires, or is left to a later version; `hint` may help."""

    def __init__(self, message: str, hint: str | None = None) -> None:
        super().__init__(message)
        self.hint = hint


@dataclass(frozen=True, slots=True)
class _Field:
    word: str
    lowest: int
    highest: int
    names: tuple[str, ...] = ()
    first_name: int = 0

    def number(self, text: str) -> int | None:
        """Return the value that *text*, a number or a name, stands for; None for anything else."""
        if text in self.names:
            return self.names.index(text) + self.first_name
        return int(text) if text.isascii() and text.isdigit() and len(text) < 6 else None

    @property
    def range(self) -> str:
        names = f" or {self.names[0]}-{self.names[-1]}" if self.names else ""
        return f"{self.lowest}-{self.highest}{names}"


_FIELDS = (
    _Field("minute", 0, 59),
    _Field("hour", 0, 23),
    _Field("day of month", 1, 31),
    _Field("month", 1, 12, _MONTHS, 1),
    _Field("day of week", 0, 7, _DAYS),
)


@dataclass(frozen=True, slots=True)
class CronRule:
    """What an expression means: wall-clock times, and how they stand to clock changes.

    `text` is the expression with single spaces. With `follows_real_time`, as an expression with `*`
    as minute or hour does in Debian's cron, it fires whenever a clock shows one of the times; one
    without is made up for where clocks skip it, and not repeated where they show it twice.
    """

    text: str
    times: WallTimes
    follows_real_time: bool


def check_cron(expression: str) -> str:
    """Return *expression* with single spaces between its five fields. Raises what `read_cron` raises."""
    return read_cron(expression).text


@lru_cache(maxsize=4096)
def read_cron(expression: str) -> CronRule:
    """Return what *expression* means, as Debian's cron reads it, and `L`, `LW`, `5L`, `TUE#1`.

    Raises InvalidCron, naming the field and what it takes, for one that cannot be read; also
    for one that never fires, and for what this version does not support.
    """
    if len(expression) > LONGEST:
        raise InvalidCron(f"an expression of {len(expression)} characters: at most {LONGEST}")
    fields = expression.split()
    _check_shape(expression, fields)
    text = " ".join(fields)
    minutes, hours, numbers, months, weekdays = map(_read_field, _FIELDS, fields)
    days = Days(
        numbers=numbers.mask,
        weekdays=(weekdays.mask | (1 if weekdays.mask & _SUNDAY else 0)) & 0b1111111,
        both=fields[2].startswith("*") or fields[4].startswith("*"),
        last=numbers.last,
        last_workday=numbers.last_workday,
        nth=weekdays.nth,
    )
    times = WallTimes(minutes.mask, hours.mask, days, months.mask)
    if times.at_or_after(0) is None:
        raise InvalidCron(f"{shown(text)} never fires")
    return CronRule(text, times, follows_real_time=fields[0].startswith("*") or fields[1].startswith("*"))


def _check_shape(expression: str, fields: list[str]) -> None:
    if expression.strip().startswith("@"):
        nickname = expression.strip().lower()
        write = f"write {shown(NICKNAMES[nickname])}" if nickname in NICKNAMES else "write the five fields"
        raise InvalidCron(f"{shown(expression.strip())} is {LATER}", write)
    if len(fields) in (6, 7):
        raise InvalidCron(
            f"{shown(' '.join(fields))} has {len(fields)} fields; seconds and years are {LATER}",
            "write five: minute, hour, day of month, month, day of week",
        )
    if len(fields) != 5:
        plural = "field" if len(fields) == 1 else "fields"
        raise InvalidCron(
            f"{shown(' '.join(fields))} has {len(fields)} {plural}",
            "write five: minute, hour, day of month, month, day of week",
        )


@dataclass(slots=True)
class _Meaning:
    """What a field names: values as the bits of `mask`, and days that depend on the month."""

    mask: int = 0
    last: bool = False
    last_workday: bool = False
    nth: tuple[tuple[int, int], ...] = ()


def _read_field(field: _Field, text: str) -> _Meaning:
    """Return what *text* names. Raises InvalidCron for a term that is none the field takes."""
    meaning = _Meaning()
    for term in text.upper().split(","):
        if term == "H" or term.startswith(("H/", "H(")):
            raise InvalidCron(f"{field.word} {shown(term)}: `H` is {LATER}", "write a number")
        if term == "?":
            raise InvalidCron(f"{field.word} `?` is another dialect's", "write `*`")
        if field.word == "day of month" and term in ("L", "LW"):
            meaning.last = meaning.last or term == "L"
            meaning.last_workday = meaning.last_workday or term == "LW"
        elif field.word == "day of week" and ("#" in term or _is_last(term)):
            meaning.nth += (_nth(field, term),)
        else:
            meaning.mask |= _mask(field, term)
    return meaning


def _is_last(term: str) -> bool:
    return len(term) == 2 and term[1] == "L" and term[0] in "01234567"


def _nth(field: _Field, term: str) -> tuple[int, int]:
    """Return weekday, 0 for Sunday, and number in the month of a term such as `TUE#1` or `5L`."""
    if _is_last(term):
        return int(term[0]) % 7, LAST
    day, _, nth = term.partition("#")
    if field.number(day) is None or nth not in ("1", "2", "3", "4", "5"):
        raise InvalidCron(
            f"day of week {shown(term)}: expected a day and which of the month, such as `TUE#1`"
        )
    return _ends(field, day)[0] % 7, int(nth)


def _mask(field: _Field, term: str) -> int:
    """Return the values of a number, name, range or `*`, with or without a step, as bits."""
    body, slash, step_text = term.partition("/")
    step = int(step_text) if step_text.isascii() and step_text.isdigit() and len(step_text) < 6 else 0
    if slash and not step:
        raise InvalidCron(f"{field.word} {shown(term)}: the step after `/` is a whole number from 1")
    if body == "*":
        first, last = field.lowest, field.highest
    else:
        ends = _ends(field, body)
        # A step after one number goes on to the highest, as in Debian's cron.
        first, last = ends[0], field.highest if slash and len(ends) == 1 else ends[-1]
    return sum(1 << value for value in range(first, last + 1, step or 1))


def _ends(field: _Field, body: str) -> list[int]:
    """Return the number, or the first and the last of a range, that *body* names."""
    ends = body.split("-") if "-" in body else [body]
    numbers = [number for end in ends if (number := field.number(end)) is not None]
    if len(ends) > 2 or len(numbers) < len(ends):
        raise InvalidCron(
            f"{field.word} {shown(body)} cannot be read",
            f"expected {field.range}, `*`, a range such as `{field.lowest + 1}-{field.lowest + 3}`, "
            "a step such as `*/2`, or several of these with commas",
        )
    for end, number in zip(ends, numbers, strict=True):
        if not field.lowest <= number <= field.highest:
            raise InvalidCron(f"{field.word} {shown(end)} is not within {field.range}")
    if len(numbers) == 2:
        _check_order(field, body, numbers)
    return numbers


def _check_order(field: _Field, body: str, ends: list[int]) -> None:
    first, last = ends
    if first <= last:
        return
    if field.word == "day of week":
        days = [_DAYS[day % 7] for day in range(first, last + 8)]
        raise InvalidCron(
            f"day of week {shown(body)}: a range over the week's end is {LATER}",
            f"write {shown(','.join(days))}",
        )
    raise InvalidCron(
        f"{field.word} {shown(body)}: a range goes upwards",
        f"write `{first}-{field.highest},{field.lowest}-{last}`",
    )
