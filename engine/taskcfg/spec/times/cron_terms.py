"""The terms of a cron field: numbers, names, ranges, steps, and days that depend on the month."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from taskcfg.spec.shown import shown
from taskcfg.spec.times.days import LAST, WEEKDAYS

FIRST_YEAR, LAST_YEAR = 1970, 2199
_MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
NUMBERINGS = "crontab counts them from 0, Sunday; others, such as APScheduler, from 0, Monday"


class InvalidCron(ValueError):
    """An expression that cannot be read, or never fires; `hint` may help."""

    def __init__(self, message: str, hint: str | None = None) -> None:
        super().__init__(message)
        self.hint = hint


@dataclass(frozen=True, slots=True, eq=False)
class Field:
    """What one field takes. With `names_only`, numbers stand for nothing: people mean different days."""

    word: str
    lowest: int
    highest: int
    names: tuple[str, ...] = ()
    first_name: int = 0
    names_only: bool = False

    def number(self, text: str) -> int | None:
        """Return the value that *text*, a number or a name, stands for; None for anything else."""
        if text in self.names:
            return self.names.index(text) + self.first_name
        return int(text) if text.isascii() and text.isdigit() and len(text) < 6 else None

    @property
    def range(self) -> str:
        named = f"{self.names[0]}-{self.names[-1]}" if self.names else ""
        if self.names_only:
            return named
        return f"{self.lowest}-{self.highest}{f' or {named}' if named else ''}"

    @property
    def is_weekday(self) -> bool:
        return self.names == WEEKDAYS


SECOND = Field("second", 0, 59)
MINUTE = Field("minute", 0, 59)
HOUR = Field("hour", 0, 23)
DAY = Field("day of month", 1, 31)
MONTH = Field("month", 1, 12, _MONTHS, 1)
WEEKDAY = Field("day of week", 0, 7, WEEKDAYS)
NAMED_WEEKDAY = Field("day of week", 0, 7, WEEKDAYS, names_only=True)
YEAR = Field("year", FIRST_YEAR, LAST_YEAR)


@dataclass(slots=True)
class Meaning:
    """What a field names: values as the bits of `mask`, and days that depend on the month."""

    mask: int = 0
    last: bool = False
    last_workday: bool = False
    nth: tuple[tuple[int, int], ...] = ()


@lru_cache(maxsize=4096)
def read_field(field: Field, text: str) -> Meaning:
    """Return what *text* names. Raises InvalidCron for a term that is none the field takes."""
    meaning = Meaning()
    for term in text.upper().split(","):
        if term == "?":
            raise InvalidCron(f"{field.word} `?` is another dialect's", "write `*`")
        if field is DAY and term in ("L", "LW"):
            meaning.last = meaning.last or term == "L"
            meaning.last_workday = meaning.last_workday or term == "LW"
        elif field.is_weekday and ("#" in term or _is_last(term)):
            meaning.nth += (_nth(field, term),)
        else:
            meaning.mask |= _mask(field, term)
    if field.is_weekday:
        meaning.mask = (meaning.mask | meaning.mask >> 7 & 1) & 0b1111111  # 7 is Sunday, as 0 is
    return meaning


def _is_last(term: str) -> bool:
    return len(term) > 1 and term[-1] == "L" and (term[:-1] in WEEKDAYS or term[:-1] in "01234567")


def _nth(field: Field, term: str) -> tuple[int, int]:
    """Return weekday, 0 for Sunday, and number in the month of a term such as `TUE#1`, `5L` or `FRIL`."""
    if _is_last(term):
        return _ends(field, term[:-1])[0] % 7, LAST
    day, _, nth = term.partition("#")
    if field.number(day) is None or nth not in ("1", "2", "3", "4", "5"):
        raise InvalidCron(
            f"day of week {shown(term)}: expected a day and which of the month, such as `TUE#1`"
        )
    return _ends(field, day)[0] % 7, int(nth)


def _mask(field: Field, term: str) -> int:
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
    if last < first:  # over the week's end
        return sum(1 << value % 7 for value in range(first, last + 8, step or 1))
    return sum(1 << value for value in range(first, last + 1, step or 1))


def _ends(field: Field, body: str) -> list[int]:
    """Return the number, or the first and the last of a range, that *body* names."""
    ends = body.split("-") if "-" in body else [body]
    numbers = [number for end in ends if (number := field.number(end)) is not None]
    if len(ends) > 2 or len(numbers) < len(ends):
        raise InvalidCron(f"{field.word} {shown(body)} cannot be read", _expected(field, body))
    for end, number in zip(ends, numbers, strict=True):
        if field.names_only and end not in field.names:
            raise InvalidCron(
                f"{field.word} {shown(end)} is a number, and weekdays have several: {NUMBERINGS}",
                f"write its name: {WEEKDAYS[number % 7]}, if you mean crontab's",
            )
        if not field.lowest <= number <= field.highest:
            raise InvalidCron(f"{field.word} {shown(end)} is not within {field.range}")
    if len(numbers) == 2 and numbers[0] > numbers[1] and not field.is_weekday:
        raise InvalidCron(
            f"{field.word} {shown(body)}: a range goes upwards",
            f"write `{numbers[0]}-{field.highest},{field.lowest}-{numbers[1]}`",
        )
    return numbers


def _expected(field: Field, body: str) -> str:
    short = body[:3]
    if short in field.names and body.isalpha():
        return f"names are short: write `{short}`"
    if field is DAY and body.endswith("W"):
        return "the nearest weekday is another dialect's; the last workday of the month is `LW`"
    example = "MON-FRI" if field.is_weekday else f"{field.lowest + 1}-{field.lowest + 3}"
    return (
        f"expected {field.range}, `*`, a range such as `{example}`, "
        "a step such as `*/2`, or several of these with commas"
    )
