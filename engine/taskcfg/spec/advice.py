"""What is likely not meant, though it can be read: warnings about schedules."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache

from taskcfg.spec.duration import duration_text
from taskcfg.spec.schedule import Cron, CronFields, Part, Qualified, rule_of
from taskcfg.spec.times.cron import (
    NAMED_FIELDS,
    NICKNAMES,
    TEXT_FIELDS,
    CronRule,
    read_cron,
    read_cron_fields,
)
from taskcfg.spec.times.cron_terms import DAY, HOUR, MINUTE, MONTH, SECOND, Field
from taskcfg.spec.times.days import ALL_DAYS, ALL_WEEKDAYS, Days
from taskcfg.spec.times.offsets import Stretch, offsets_of
from taskcfg.spec.times.shortest import WITHIN
from taskcfg.spec.times.timetable import timetable
from taskcfg.spec.times.zones import zone_named

_SECOND = timedelta(seconds=1)
_LONGEST_OVERLAP = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Advice:
    """A warning: which field of the schedule it is about, what happens, and what to write instead."""

    field: str
    message: str
    hint: str | None = None


def advice_on(part: Part, zone: str, now: datetime, *, dst_written: bool) -> tuple[Advice, ...]:
    """Return what to warn of in *part*, a schedule that can fire, of a task in *zone*.

    *dst_written* says that the schedule itself says what it does where clocks change, be it the default.
    """
    rule = cron_rule(part)
    if rule is None:
        return ()
    start = now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    found = _about_fields(part, start.year + 1)
    if rule.follows_real_time:
        return (*found, _NO_EFFECT) if dst_written else found
    return found if dst_written else (*found, *_about_clocks(part, zone, start))


_NO_EFFECT = Advice(
    "dst",
    "has no effect: with `*` as minute or hour a schedule follows real time",
    "remove it, or name the minutes and hours",
)


@lru_cache(maxsize=4096)
def _about_fields(part: Part, year: int) -> tuple[Advice, ...]:
    rule = cron_rule(part)
    texts = _texts(part)
    if rule is None or not isinstance(rule.times.days, Days):
        return ()
    return (*_either_day(part, rule.times.days, texts, year), *_short_months(rule, year), *_odd_steps(texts))


def cron_rule(part: Part) -> CronRule | None:
    """Return what the cron expression or the named fields of *part* mean, None where it has neither."""
    match rule_of(part):
        case Cron(expression):
            return read_cron(expression)
        case CronFields(fields):
            return read_cron_fields(fields)
        case _:
            return None


def _texts(part: Part) -> dict[Field, str]:
    """Return what each field of a cron rule says, as far as it says something."""
    match rule_of(part):
        case Cron(expression):
            texts = NICKNAMES.get(expression, expression).split()
            return dict(zip(TEXT_FIELDS[-len(texts) :], texts, strict=True))
        case CronFields(fields):
            return {NAMED_FIELDS[name]: text for name, text in fields}
        case _:
            return {}


def _either_day(part: Part, days: Days, texts: dict[Field, str], year: int) -> Iterator[Advice]:
    if days.both or not isinstance(rule_of(part), Cron):
        return
    of_both = _as_fields(days, texts)
    either, both = _fires_in(rule_of(part), year), _fires_in(of_both, year)
    wanted = ", ".join(f"{name}: {_yaml(text)}" for name, text in of_both.fields)
    yield Advice(
        "cron",
        f"fires when either day field matches: {either:,} times in {year}; both match {both:,} times",
        f"for both, write `cron: {{{wanted}}}`; for either, a list of two schedules says so",
    )


def _as_fields(days: Days, texts: dict[Field, str]) -> CronFields:
    """Return the rule as named fields, both of whose day fields must match."""
    by_number = {field.word: text for field, text in texts.items()}
    named = [name for number, name in enumerate(_WEEKDAYS) if days.weekdays >> number & 1]
    named += [
        f"{_WEEKDAYS[day]}#{number}" if number > 0 else f"{_WEEKDAYS[day]}L" for day, number in days.nth
    ]
    fields = []
    for name, field in NAMED_FIELDS.items():
        text = ",".join(named) if name == "day_of_week" else by_number.get(field.word)
        if text is not None and (text != "*" or name in ("minute", "hour")):
            fields.append((name, text.upper()))
    return CronFields(tuple(fields))


def _yaml(text: str) -> str:
    return text if text.replace("-", "").replace("#", "").isalnum() else f'"{text}"'


_WEEKDAYS = ("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT")


def _fires_in(part: Part, year: int) -> int:
    start, end = datetime(year, 1, 1, tzinfo=UTC), datetime(year + 1, 1, 1, tzinfo=UTC)
    try:
        return timetable(part, "UTC").count_between(start, end - _SECOND, 1)[0]
    except ValueError:
        return 0  # no day has both, ever


def _short_months(rule: CronRule, year: int) -> Iterator[Advice]:
    """Warn of a last day of the month that is written as a number."""
    days, months = rule.times.days, rule.times.months
    if not isinstance(days, Days) or days.numbers == ALL_DAYS or days.last or days.last_workday:
        return
    if days.weekdays != ALL_WEEKDAYS or days.nth or not days.numbers or days.numbers & (1 << 29) - 1:
        return
    common = year if year % 4 else year + 1
    short = [month for month in range(1, 13) if months >> month & 1 and not days.in_month(common, month)]
    if not short or months.bit_count() == 1:
        return
    named = ", ".join(f"{datetime(common, month, 1, tzinfo=UTC):%B}" for month in short)
    leap = ", except in leap years" if short == [2] and days.numbers >> 29 & 1 else ""
    yield Advice("cron", f"does not fire in {named}{leap}", "`L` is the last day of every month")


_CYCLES: dict[Field, tuple[int, str, Callable[[int], timedelta] | None]] = {
    SECOND: (60, "each minute", lambda step: timedelta(seconds=step)),
    MINUTE: (60, "each hour", lambda step: timedelta(minutes=step)),
    HOUR: (24, "each day", lambda step: timedelta(hours=step)),
    DAY: (31, "each month", lambda step: timedelta(days=step)),
    MONTH: (12, "each year", None),
}


def _odd_steps(texts: dict[Field, str]) -> Iterator[Advice]:
    for field, text in texts.items():
        step = text[2:] if text.startswith("*/") else ""
        if field not in _CYCLES or not step.isdigit() or int(step) == 1:
            continue
        size, cycle, interval = _CYCLES[field]
        number, rest = int(step), size % int(step)
        if rest == 0 or number >= size:
            continue
        plural = "" if rest == 1 else "s"
        unit = "day" if field is DAY else field.word
        verb = "may be" if field is DAY else "is"
        yield Advice(
            "cron",
            f"{field.word} `{text}` begins anew {cycle}: the last interval {verb} {rest} {unit}{plural}, "
            f"not {number}",
            None if interval is None else f"write `every: {duration_text(interval(number))}` for an even one",
        )


@lru_cache(maxsize=4096)
def _about_clocks(part: Part, zone: str, start: datetime) -> tuple[Advice, ...]:
    """Warn of fixed times that clocks skip, or show twice, within the coming 13 months."""
    own = part.timezone if isinstance(part, Qualified) and part.timezone else zone
    said: dict[bool, str] = {}  # the next of each kind: the others are as it is
    for change in _changes(own, start):
        what = _at_change(part, zone, change)
        if what:
            said.setdefault(change.offset > change.before, what)
    if not said:
        return ()
    hint = "choose another time, or write `dst: {gap: run_after, overlap: first}` to keep it so"
    return (Advice("cron", f"in {own} {' and '.join(said.values())}", hint),)


def _changes(zone: str, start: datetime) -> Iterator[Stretch]:
    first = int(start.timestamp())
    for stretch in offsets_of(zone_named(zone)).stretches(first):
        if stretch.start >= first + WITHIN.total_seconds():
            return
        if stretch.start > first and stretch.offset != stretch.before:
            yield stretch


def _at_change(part: Part, zone: str, change: Stretch) -> str | None:
    """Return what becomes of a fixed time of *part* at *change*, None where none is concerned."""
    at = datetime.fromtimestamp(change.start, UTC)
    table = timetable(part, zone)
    if change.offset > change.before:
        found = table.next_after(at - _SECOND)
        if found is None or found.skipped is None or found.at != at:
            return None
        return f"{found.wall:%H:%M} does not exist on {_day(found.wall)} (fires at {found.local:%H:%M})"
    shown_twice = timedelta(seconds=change.before - change.offset)
    for found in table.between(at - min(shown_twice, _LONGEST_OVERLAP), at, 1):
        return f"{found.wall:%H:%M} comes twice on {_day(found.wall)} (fires once, the first time)"
    return None


def _day(wall: datetime) -> str:
    return f"{wall.day} {wall:%b %Y}"
