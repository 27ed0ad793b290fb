"""What a cron rule means, in words: made from its meaning, and the same however it is written."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise

from taskcfg.spec.times.cron_terms import FIRST_YEAR
from taskcfg.spec.times.days import ALL_DAYS, ALL_WEEKDAYS, LAST, Days
from taskcfg.spec.times.wall_times import WallTimes

MOST_NAMED = 6
"""So many values are named one by one; more are said as a range or in steps, or not at all."""

_EVERY_MONTH = (1 << 13) - 2
_WEEKDAYS = ("Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday")
_MONTHS = (
    "", "January", "February", "March", "April", "May", "June",
    "July", "August", "September", "October", "November", "December",
)  # fmt: skip
_NTH = {1: "first", 2: "second", 3: "third", 4: "fourth", 5: "fifth", LAST: "last"}


def cron_words(times: WallTimes) -> str | None:
    """Return *times* in words, None where there are no good ones."""
    if not isinstance(times.days, Days):
        return None
    clock, days, months = _clock(times), _days(times.days), _months(times.months)
    years = "" if times.years is None else _years(times.years)
    if clock is None or days is None or years is None:
        return None
    if not days and ((clock.startswith("at ") and "every" not in clock) or months or years):
        days = "every day"
    return " ".join(filter(None, (clock, days, months, years)))


def joined(words: Sequence[str], last: str = "and") -> str:
    """Return `a`, `a and b`, or `a, b and c`."""
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} {last} {words[-1]}"


def _clock(times: WallTimes) -> str | None:
    """Return which times of a day."""
    seconds, minutes, hours = (_values(mask) for mask in (times.seconds, times.minutes, times.hours))
    if len(seconds) * len(minutes) * len(hours) <= MOST_NAMED:
        shown = "{:02}:{:02}" if seconds == [0] else "{:02}:{:02}:{:02}"
        return "at " + joined([shown.format(h, m, s) for h in hours for m in minutes for s in seconds])
    if seconds == [0] and len(minutes) == 1 and 2 < len(hours) < 24 and (step := _step(hours)):
        every = "every hour" if step == 1 else f"every {step} hours"
        return f"{every} from {hours[0]:02}:{minutes[0]:02} to {hours[-1]:02}:{minutes[0]:02}"
    if seconds == [0]:
        return _chain([("minute", minutes, 60, "hour"), ("hour", hours, 24, "day")])
    return _chain(
        [("second", seconds, 60, "minute"), ("minute", minutes, 60, "hour"), ("hour", hours, 24, "day")]
    )


def _chain(units: list[tuple[str, list[int], int, str]]) -> str | None:
    """Return which of the finest unit, in which of the others."""
    (unit, values, size, whole), *others = units
    if len(values) == size:
        words, named = f"every {unit}", False
    elif size % (step := _step(values) or size) == 0 and step < size == step * len(values):
        start = f", from {unit} {values[0]} on," if values[0] else ""
        words, named = f"every {step} {unit}s of the {whole}{start}", False
    else:
        several = _several(unit, values)
        words, named = f"at {several}", True
        if several is None:
            return None
    for unit, values, size, _ in others:
        if len(values) == size:
            words += f" of every {unit}" if named else ""
        else:
            several = _several(unit, values)
            if several is None:
                return None
            words += f" {'of' if named else 'in'} {several}"
        named = named and len(values) < size
    return words.rstrip(",")


def _several(unit: str, values: list[int]) -> str | None:
    """Return `minute 5`, `minutes 0, 7 and 14`, `hours 9 to 17`, `minutes 1 to 59 in steps of 2`."""
    if len(values) == 1:
        return f"{unit} {values[0]}"
    step = _step(values)
    if step is not None and step > 1 and len(values) > MOST_NAMED:
        return f"{unit}s {values[0]} to {values[-1]} in steps of {step}"
    parts = _ranges(values, str)
    return f"{unit}s {joined(parts)}" if len(parts) <= MOST_NAMED else None


def _days(days: Days) -> str | None:
    """Return which days, empty for every one, None where there are no words."""
    any_number, any_weekday = days.numbers == ALL_DAYS, days.weekdays == ALL_WEEKDAYS
    if any_number or any_weekday:
        if not days.both or any_number is any_weekday:
            return ""
        words = _weekdays(days) if any_number else _numbers(days)
        return words and f"on {words}"
    numbers, weekdays = _numbers(days), _weekdays(days)
    if numbers is None or weekdays is None:
        return None
    return f"on {numbers} if it is {weekdays}" if days.both else f"on {numbers} and also on {weekdays}"


def _numbers(days: Days) -> str | None:
    parts = []
    if days.numbers:
        several = _several("day", _values(days.numbers))
        if several is None:
            return None
        parts.append(several)
    parts += ["the last day"] * days.last + ["the last day from Monday to Friday"] * days.last_workday
    return f"{joined(parts)} of the month"


def _weekdays(days: Days) -> str:
    nth = sorted({each for each in days.nth if not days.weekdays >> each[0] & 1})
    parts = [f"the {_NTH[number]} {_WEEKDAYS[weekday]}" for weekday, number in nth]
    named = _named_weekdays(days.weekdays)
    return joined([*named, *parts[:-1], f"{parts[-1]} of the month"] if parts else named)


def _named_weekdays(mask: int) -> list[str]:
    """Return `Monday to Friday`, also over the week's end, or the days one by one."""
    number = mask.bit_count()
    for first in range(7):
        run = sum(1 << (first + place) % 7 for place in range(number))
        if run == mask and number > 1:
            ends = [_WEEKDAYS[first], _WEEKDAYS[(first + number - 1) % 7]]
            return ends if number == 2 else [" to ".join(ends)]
    return [_WEEKDAYS[day] for day in _values(mask)]


def _months(mask: int) -> str:
    if mask & _EVERY_MONTH == _EVERY_MONTH:
        return ""
    return f"in {joined(_ranges(_values(mask), lambda month: _MONTHS[month]))}"


def _years(mask: int) -> str | None:
    parts = _ranges([year + FIRST_YEAR for year in _values(mask)], str)
    return f"in {joined(parts)}" if len(parts) <= MOST_NAMED else None


def _ranges(values: list[int], name: Callable[[int], str]) -> list[str]:
    """Return *values* by name, each run of three or more as `first to last`."""
    runs: list[list[int]] = []
    for value in values:
        if runs and value == runs[-1][-1] + 1:
            runs[-1].append(value)
        else:
            runs.append([value])
    parts: list[str] = []
    for run in runs:
        parts += [f"{name(run[0])} to {name(run[-1])}"] if len(run) > 2 else map(name, run)
    return parts


def _step(values: list[int]) -> int | None:
    """Return the one distance between *values*, None where there are several or none."""
    steps = {later - earlier for earlier, later in pairwise(values)}
    return steps.pop() if len(steps) == 1 else None


def _values(mask: int) -> list[int]:
    return [place for place in range(mask.bit_length()) if mask >> place & 1]
