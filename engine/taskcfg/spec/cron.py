"""Crontab text: what its five fields may hold, and what to say when they hold something else."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache

from cronsim import CronSim, CronSimError

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
_ANY_DAY = datetime(2024, 1, 1, tzinfo=UTC)
"""Where the search for a first fire starts; every expression that ever fires does so within 50 years."""


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


@lru_cache(maxsize=4096)
def check_cron(expression: str) -> str:
    """Return *expression* with single spaces between its five fields.

    Raises InvalidCron, naming the field and what it takes, for one that cannot be read; also
    for one that never fires, and for what this version does not support.
    """
    if len(expression) > LONGEST:
        raise InvalidCron(f"an expression of {len(expression)} characters: at most {LONGEST}")
    fields = expression.split()
    _check_shape(expression, fields)
    text = " ".join(fields)
    try:
        times = CronSim(text, _ANY_DAY)
        if fields[3] != "*" or "*" not in (fields[2], fields[4]):
            next(times)  # days are limited in two ways, which may exclude each other
    except CronSimError as error:
        for field, value in zip(_FIELDS, fields, strict=True):
            for term in value.upper().split(","):
                _check_term(field, term)
        # All fields are well formed: cronsim refuses days that no chosen month has.
        raise InvalidCron(f"`{text}` never fires") from error
    except StopIteration:
        raise InvalidCron(f"`{text}` never fires") from None
    return text


def _check_shape(expression: str, fields: list[str]) -> None:
    if expression.strip().startswith("@"):
        nickname = expression.strip().lower()
        write = f"write `{NICKNAMES[nickname]}`" if nickname in NICKNAMES else "write the five fields"
        raise InvalidCron(f"`{expression.strip()}` is {LATER}", write)
    if len(fields) in (6, 7):
        raise InvalidCron(
            f"`{' '.join(fields)}` has {len(fields)} fields; seconds and years are {LATER}",
            "write five: minute, hour, day of month, month, day of week",
        )
    if len(fields) != 5:
        plural = "field" if len(fields) == 1 else "fields"
        raise InvalidCron(
            f"`{' '.join(fields)}` has {len(fields)} {plural}",
            "write five: minute, hour, day of month, month, day of week",
        )


def _check_term(field: _Field, term: str) -> None:
    """Raise InvalidCron when *term*, one of a field's comma-separated ones, is not what it takes."""
    if term == "H" or term.startswith(("H/", "H(")):
        raise InvalidCron(f"{field.word} `{term}`: `H` is {LATER}", "write a number")
    if term == "?":
        raise InvalidCron(f"{field.word} `?` is another dialect's", "write `*`")
    if _is_special(field, term):
        return
    body, slash, step = term.partition("/")
    if slash and not (step.isascii() and step.isdigit() and len(step) < 6 and int(step) > 0):
        raise InvalidCron(f"{field.word} `{term}`: the step after `/` is a whole number from 1")
    if body != "*":
        _check_range(field, body)


def _is_special(field: _Field, term: str) -> bool:
    if field.word == "day of month":
        return term in ("L", "LW")
    if field.word != "day of week":
        return False
    day, hash_sign, nth = term.partition("#")
    if hash_sign:
        if field.number(day) is None or nth not in ("1", "2", "3", "4", "5"):
            raise InvalidCron(f"day of week `{term}`: expected a day and which of the month, such as `TUE#1`")
        _check_range(field, day)
        return True
    return term[-1:] == "L" and term[:-1] in tuple("01234567")


def _check_range(field: _Field, body: str) -> None:
    ends = body.split("-") if "-" in body else [body]
    numbers = [field.number(end) for end in ends]
    if len(ends) > 2 or None in numbers:
        raise InvalidCron(
            f"{field.word} `{body}` cannot be read",
            f"expected {field.range}, `*`, a range such as `{field.lowest + 1}-{field.lowest + 3}`, "
            "a step such as `*/2`, or several of these with commas",
        )
    for end, number in zip(ends, numbers, strict=True):
        if number is not None and not field.lowest <= number <= field.highest:
            raise InvalidCron(f"{field.word} `{end}` is not within {field.range}")
    if len(ends) == 2:
        _check_order(field, body, [number for number in numbers if number is not None])


def _check_order(field: _Field, body: str, ends: list[int]) -> None:
    first, last = ends
    if first <= last:
        return
    if field.word == "day of week":
        days = [_DAYS[day % 7] for day in range(first, last + 8)]
        raise InvalidCron(
            f"day of week `{body}`: a range over the week's end is {LATER}", f"write `{','.join(days)}`"
        )
    raise InvalidCron(
        f"{field.word} `{body}`: a range goes upwards",
        f"write `{first}-{field.highest},{field.lowest}-{last}`",
    )
