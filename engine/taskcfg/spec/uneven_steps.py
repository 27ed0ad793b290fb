"""Steps of cron fields that do not divide what they step through: their last interval is another."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta

from taskcfg.spec.duration import duration_text
from taskcfg.spec.times.cron_terms import DAY, HOUR, MINUTE, MONTH, SECOND, Field
from taskcfg.spec.times.days import ALL_DAYS, ALL_WEEKDAYS, Days
from taskcfg.spec.times.wall_times import WallTimes

_STEP = re.compile(r"(?:\*|(\d+)-(\d+)|(\d+))/(\d+)", re.ASCII)
_FINEST_FIRST = (SECOND, MINUTE, HOUR, DAY, MONTH)


@dataclass(frozen=True, slots=True)
class _Cycle:
    """What one field steps through: so many values, again and again, each of them so long."""

    size: int
    again: str
    unit: timedelta | None


_CYCLES: Mapping[Field, _Cycle] = {
    SECOND: _Cycle(60, "each minute", timedelta(seconds=1)),
    MINUTE: _Cycle(60, "each hour", timedelta(minutes=1)),
    HOUR: _Cycle(24, "each day", timedelta(hours=1)),
    DAY: _Cycle(31, "each month", timedelta(days=1)),
    MONTH: _Cycle(12, "each year", None),
}


def uneven_steps(times: WallTimes, texts: Mapping[Field, str]) -> Iterator[tuple[str, str | None]]:
    """Yield what to say, and what to write instead, of each such step in the fields *texts* of *times*.

    Silent where no cycle of the field follows upon another, as that of the minutes of one hour.
    """
    for field, text in texts.items():
        found = _STEP.fullmatch(text) if field in _CYCLES else None
        if found is None or not _goes_on(field, times):
            continue
        first, last, start, step = found.groups()
        lowest, number = int(first or start or field.lowest), int(step)
        if int(last or field.highest) == field.highest and lowest - field.lowest < number:
            yield from _said(field, lowest, number, texts)


def _said(
    field: Field, lowest: int, number: int, texts: Mapping[Field, str]
) -> Iterator[tuple[str, str | None]]:
    cycle, text = _CYCLES[field], texts[field]
    values = range(lowest, field.highest + 1, number)
    rest = lowest + cycle.size - values[-1]
    unit = "day" if field is DAY else field.word
    if number > cycle.size:
        message = f"{field.word} `{text}` steps past the last one: it is {unit} {lowest} {cycle.again}"
        yield message, _every(field, number, texts)
    elif rest != number and number > 1 and len(values) > 1:
        plural = "" if rest == 1 else "s"
        verb = "may be" if field is DAY else "is"
        message = f"the last interval {verb} {rest} {unit}{plural}, not {number}"
        hint = _every(field, number, texts) or _even(field, number, values)
        yield f"{field.word} `{text}` begins anew {cycle.again}: {message}", hint


def _every(field: Field, number: int, texts: Mapping[Field, str]) -> str | None:
    """Return the interval that says the same for all times; None where the rule is not for all times."""
    unit = _CYCLES[field].unit
    others = {each.word: text for each, text in texts.items() if each is not field}
    finer = {each.word for each in _FINEST_FIRST[: _FINEST_FIRST.index(field)]}
    if unit is None or any(text != "*" for word, text in others.items() if word not in finer):
        return None
    if any(not text.isdigit() for word, text in others.items() if word in finer):
        return None
    anchored = ", with an `anchor`," if any(others[word] != "0" for word in finer & others.keys()) else ""
    return f"write `every: {duration_text(unit * number)}`{anchored} for an even one"


def _even(field: Field, number: int, values: range) -> str | None:
    size = _CYCLES[field].size
    if field is DAY:
        return f"name the days, such as `{','.join(map(str, values[:-1]))}`"
    even = [each for each in range(2, size) if size % each == 0]
    near = [*[each for each in even if each < number][-1:], *[each for each in even if each > number][:1]]
    return f"{' and '.join(f'`*/{each}`' for each in near)} {'is' if len(near) == 1 else 'are'} even"


def _goes_on(field: Field, times: WallTimes) -> bool:
    """Whether one cycle of *field* follows upon another: two hours for minutes, two days for hours."""
    match field.word:
        case SECOND.word:
            return _adjacent(times.minutes, 60)
        case MINUTE.word:
            return _adjacent(times.hours, 24)
        case HOUR.word:
            return _days_go_on(times)
        case DAY.word:
            return _adjacent(times.months >> 1, 12)
        case _:
            return True


def _days_go_on(times: WallTimes) -> bool:
    days = times.days
    if not isinstance(days, Days):
        return False
    weekly = days.weekdays == ALL_WEEKDAYS or _adjacent(days.weekdays, 7)
    return weekly and (days.numbers == ALL_DAYS or bool(days.numbers & days.numbers >> 1))


def _adjacent(mask: int, size: int) -> bool:
    return bool(mask & (mask >> 1 | (mask & 1) << size - 1))
