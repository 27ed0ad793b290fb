"""Cron rules: what crontab text, and the form with named fields, mean."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from taskcfg.spec.shown import shown
from taskcfg.spec.times.cron_terms import (
    DAY,
    FIRST_YEAR,
    HOUR,
    MINUTE,
    MONTH,
    NAMED_WEEKDAY,
    SECOND,
    WEEKDAY,
    YEAR,
    Field,
    InvalidCron,
    Meaning,
    read_field,
)
from taskcfg.spec.times.days import Days
from taskcfg.spec.times.wall_times import WallTimes

LONGEST = 1000
NICKNAMES = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
}
TEXT_FIELDS = (SECOND, MINUTE, HOUR, DAY, MONTH, WEEKDAY)
NAMED_FIELDS: dict[str, Field] = {
    "second": SECOND,
    "minute": MINUTE,
    "hour": HOUR,
    "day": DAY,
    "month": MONTH,
    "day_of_week": NAMED_WEEKDAY,
    "year": YEAR,
}
"""The fields of the form with names, finest first; a day of the week is as fine as a day."""

_FIVE = "write five: minute, hour, day of month, month, day of week; or six, with seconds first"
_LOWEST = {"second": "0", "minute": "0", "hour": "0", "day": "1", "month": "1"}


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


@lru_cache(maxsize=4096)
def read_cron(expression: str) -> CronRule:
    """Return what *expression* means, as Debian's cron reads it; with seconds first, if it has six fields.

    Takes `L`, `LW`, `5L`, `TUE#1`, ranges over the week's end, and `@daily` and its kin besides; not
    `H`, which depends on a task's name (see `resolved`). Raises InvalidCron, naming the field and
    what it takes, for one that cannot be read; also for one that never fires.
    """
    if len(expression) > LONGEST:
        raise InvalidCron(f"an expression of {len(expression)} characters: at most {LONGEST}")
    if expression.strip().startswith("@"):
        nickname = expression.strip().lower()
        rule = read_cron(_behind(nickname))
        return CronRule(nickname, rule.times, rule.follows_real_time)
    fields = expression.split()
    text = " ".join(fields)
    if "=" in expression:
        raise InvalidCron(
            f"{shown(text)} sets a variable, as in a crontab", "a zone is the field `timezone` of the task"
        )
    if len(fields) not in (5, 6):
        raise _misshapen(text, len(fields))
    *seconds, minute, hour, day, month, weekday = fields
    days = _days(
        read_field(DAY, day),
        read_field(WEEKDAY, weekday),
        both=day.startswith("*") or weekday.startswith("*"),
    )
    times = WallTimes(
        read_field(MINUTE, minute).mask,
        read_field(HOUR, hour).mask,
        days,
        read_field(MONTH, month).mask,
        read_field(SECOND, seconds[0]).mask if seconds else 1,
    )
    return _checked(text, times, minute, hour)


@lru_cache(maxsize=4096)
def read_cron_fields(fields: tuple[tuple[str, str], ...]) -> CronRule:
    """Return what the named *fields* mean, all of which must hold. Raises InvalidCron as `read_cron` does.

    Fields finer than the finest of them take their lowest value; all others are `*`.
    """
    given = dict(fields)
    texts = {**_unsaid(given), **given}
    read = {name: read_field(NAMED_FIELDS[name], text) for name, text in texts.items()}
    times = WallTimes(
        read["minute"].mask,
        read["hour"].mask,
        _days(read["day"], read["day_of_week"], both=True),
        read["month"].mask,
        read["second"].mask,
        None if texts["year"] == "*" else read["year"].mask >> FIRST_YEAR,
    )
    text = " ".join(f"{name}={value}" for name, value in fields)
    return _checked(text, times, texts["minute"], texts["hour"])


def field_of(error: Exception, fields: tuple[tuple[str, str], ...]) -> str | None:
    """Return which of *fields* cannot be read by itself, None where only the whole is wrong."""
    for name, text in fields:
        try:
            read_field(NAMED_FIELDS[name], text)
        except InvalidCron as own:
            if str(own) == str(error):
                return name
    return None


def _unsaid(given: dict[str, str]) -> dict[str, str]:
    """Return what the fields that are not *given* say."""
    as_fine = {*given, "day"} if "day_of_week" in given else {*given}
    finer, unsaid = True, {}
    for name in NAMED_FIELDS:
        finer = finer and name not in as_fine
        unsaid[name] = _LOWEST.get(name, "*") if finer else "*"
    return unsaid


def _days(numbers: Meaning, weekdays: Meaning, *, both: bool) -> Days:
    return Days(
        numbers=numbers.mask,
        weekdays=weekdays.mask,
        both=both,
        last=numbers.last,
        last_workday=numbers.last_workday,
        nth=weekdays.nth,
    )


def _checked(text: str, times: WallTimes, minute: str, hour: str) -> CronRule:
    if times.at_or_after(0) is None:
        raise InvalidCron(f"{shown(text)} never fires")
    return CronRule(text, times, follows_real_time=minute.startswith("*") or hour.startswith("*"))


def _behind(nickname: str) -> str:
    if nickname == "@reboot":
        raise InvalidCron("`@reboot` is no time: tasks do not depend on when a machine starts")
    if nickname not in NICKNAMES:
        known = ", ".join(NICKNAMES)
        raise InvalidCron(f"{shown(nickname)} is no nickname", f"expected one of {known}, or five fields")
    return NICKNAMES[nickname]


def _misshapen(text: str, number: int) -> InvalidCron:
    if number == 7:
        return InvalidCron(
            f"{shown(text)} has 7 fields",
            "years go into the form with named fields: `cron: {minute: 0, hour: 9, year: 2027}`",
        )
    if number > 7:
        return InvalidCron(f"{shown(text)} has {number} fields", f"{_FIVE}; a command is left away")
    plural = "field" if number == 1 else "fields"
    return InvalidCron(f"{shown(text)} has {number} {plural}", _FIVE)
