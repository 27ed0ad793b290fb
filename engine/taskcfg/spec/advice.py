"""What is likely not meant, though it can be read: warnings about schedules."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache

from taskcfg.spec.schedule import Cron, CronFields, Part, rule_of, zone_of
from taskcfg.spec.times.clock_changes import WITHIN, ClockChange, clock_changes
from taskcfg.spec.times.closeness import hours_of_changes, midnight
from taskcfg.spec.times.cron import NAMED_FIELDS, NICKNAMES, TEXT_FIELDS, CronRule
from taskcfg.spec.times.cron_rules import cron_rule
from taskcfg.spec.times.cron_terms import Field
from taskcfg.spec.times.days import ALL_DAYS, ALL_WEEKDAYS, WEEKDAYS, Days
from taskcfg.spec.times.timetable import timetable
from taskcfg.spec.times.zones import until_zones_change, zone_named
from taskcfg.spec.uneven_steps import uneven_steps

_SECOND = timedelta(seconds=1)
_NONE = timedelta(0)
_BEFORE_29TH = (1 << 29) - 1


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
    start = midnight(now)
    found = _about_fields(rule_of(part), start.year + 1) if _may_be_odd(rule) else ()
    if rule.follows_real_time:
        return (*found, _NO_EFFECT) if dst_written else found
    own = zone_of(part, zone)
    if dst_written or not rule.times.hours & hours_of_changes(own, start):
        return found
    return (*found, *_about_clocks(part, own, start))


_NO_EFFECT = Advice(
    "dst",
    "has no effect: with `*` as minute or hour a schedule follows real time",
    "remove it, or name the minutes and hours",
)


def _may_be_odd(rule: CronRule) -> bool:
    """Whether there is anything in the fields to look at: most rules have no more than plain times."""
    days = rule.times.days
    plain_days = isinstance(days, Days) and days.both and days.numbers & _BEFORE_29TH
    return not plain_days or "/" in rule.text


@lru_cache(maxsize=4096)
def _about_fields(part: Part, year: int) -> tuple[Advice, ...]:
    rule = cron_rule(part)
    if rule is None or not isinstance(rule.times.days, Days):
        return ()
    found = [*_either_day(part, rule.times.days, year), *_short_months(rule, year)]
    if "/" in rule.text:
        found += (Advice("cron", *said) for said in uneven_steps(rule.times, _texts(part)))
    return tuple(found)


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


def _either_day(part: Part, days: Days, year: int) -> Iterator[Advice]:
    if days.both or not isinstance(part, Cron):
        return
    of_both = _as_fields(days, _texts(part))
    either, both = _fires_in(part, year), _fires_in(of_both, year)
    wanted = ", ".join(f"{name}: {_yaml(text)}" for name, text in of_both.fields)
    yield Advice(
        "cron",
        f"fires when either day field matches: {either:,} times in {year}; both match {both:,} times",
        f"for both, write `cron: {{{wanted}}}`; for either, a list of two schedules says so",
    )


def _as_fields(days: Days, texts: dict[Field, str]) -> CronFields:
    """Return the rule as named fields, both of whose day fields must match."""
    by_number = {field.word: text for field, text in texts.items()}
    named = [name for number, name in enumerate(WEEKDAYS) if days.weekdays >> number & 1]
    named += [f"{WEEKDAYS[day]}#{number}" if number > 0 else f"{WEEKDAYS[day]}L" for day, number in days.nth]
    fields = []
    for name, field in NAMED_FIELDS.items():
        text = ",".join(named) if name == "day_of_week" else by_number.get(field.word)
        if text is not None and (text != "*" or name in ("minute", "hour")):
            fields.append((name, text.upper()))
    return CronFields(tuple(fields))


def _yaml(text: str) -> str:
    return text if text.replace("-", "").replace("#", "").isalnum() else f'"{text}"'


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
    if days.weekdays != ALL_WEEKDAYS or days.nth or not days.numbers or days.numbers & _BEFORE_29TH:
        return
    common = year if year % 4 else year + 1
    short = [month for month in range(1, 13) if months >> month & 1 and not days.in_month(common, month)]
    if not short or months.bit_count() == 1:
        return
    named = ", ".join(f"{datetime(common, month, 1, tzinfo=UTC):%B}" for month in short)
    leap = ", except in leap years" if short == [2] and days.numbers >> 29 & 1 else ""
    yield Advice("cron", f"does not fire in {named}{leap}", "`L` is the last day of every month")


@until_zones_change(4096)
def _about_clocks(part: Part, zone: str, start: datetime) -> tuple[Advice, ...]:
    """Warn of fixed times that *zone*'s clocks skip, or show twice, within 13 months: the first of each."""
    said: dict[bool, str] = {}
    for change in clock_changes(zone_named(zone), start, start + WITHIN):
        forward = change.shift > _NONE
        what = None if forward in said else _at_change(part, zone, change)
        if what is not None:
            said[forward] = what
    if not said:
        return ()
    hint = "choose another time, or write `dst: {gap: run_after, overlap: first}` to keep it so"
    return (Advice("cron", f"in {zone} {' and '.join(said.values())}", hint),)


def _at_change(part: Part, zone: str, change: ClockChange) -> str | None:
    """Return what becomes of a fixed time of *part* at *change*, None where none is concerned."""
    table = timetable(part, zone)
    if change.shift > _NONE:
        found = table.next_after(change.at - _SECOND)
        if found is None or found.skipped is None or found.at != change.at:
            return None
        local = found.local
        other_day = f" on {_day(local)}" if local.date() != found.wall.date() else ""
        return f"{found.wall:%H:%M} does not exist on {_day(found.wall)} (fires at {local:%H:%M}{other_day})"
    for found in table.between(change.at + change.shift, change.at, 1):
        return f"{found.wall:%H:%M} comes twice on {_day(found.wall)} (fires once, the first time)"
    return None


def _day(wall: datetime) -> str:
    return f"{wall.day} {wall:%b %Y}"
