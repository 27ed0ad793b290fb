"""How close nominal times can come at most, told without walking through them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import NamedTuple

from taskcfg.spec.schedule import Every, Part, Qualified, Schedule, parts_of, rule_of
from taskcfg.spec.times.clock_changes import ClockChange, clock_changes
from taskcfg.spec.times.cron_rules import cron_rule
from taskcfg.spec.times.shortest import WITHIN
from taskcfg.spec.times.zones import zone_named

_HOUR = timedelta(hours=1)
_DAY = timedelta(days=1)
_SECOND = timedelta(seconds=1)


class _Changes(NamedTuple):
    """The clock changes of one zone in 13 months: what they come to.

    `hours` has a bit for each hour of the day in which clocks skip a time or show it twice; `near` those
    and the ones beside them. `largest` is the largest change.
    """

    hours: int
    near: int
    largest: timedelta
    whole_hours: bool


def no_closer_than(schedule: Schedule, zone: str, now: datetime) -> timedelta:
    """Return what the shortest interval of *schedule* after *now* is not below; zero where that is not known.

    Some microseconds, where the interval itself may take a thousand times as long. Clock changes of
    the next 13 months count, as in `shortest_interval`.
    """
    parts = parts_of(schedule)
    return _no_closer_than(parts[0], zone, midnight(now)) if len(parts) == 1 else timedelta(0)


@lru_cache(maxsize=16)
def midnight(now: datetime) -> datetime:
    """Return when the day of *now* began in UTC: what is looked at from then on is the same all day."""
    return now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)


def hours_of_changes(zone: str, day: datetime) -> int:
    """Return the hours of the day, as bits, in which *zone*'s clocks skip a time or show one twice.

    Counts 13 months from *day*, which is a midnight in UTC.
    """
    return _changes_of(zone, day).hours


def _no_closer_than(part: Part, task_zone: str, day: datetime) -> timedelta:
    rule = rule_of(part)
    if isinstance(rule, Every):
        return rule.interval
    cron = cron_rule(part)
    if cron is None:
        return timedelta(0)
    gap = _gap(cron.times.seconds, cron.times.minutes, cron.times.hours)
    own = part.timezone or task_zone if isinstance(part, Qualified) else task_zone
    changes = _changes_of(own, day)
    # Far from the changes, and where clocks go by whole hours past `*`, they bring nothing within an hour.
    unmoved = cron.follows_real_time and changes.whole_hours
    if unmoved or not cron.times.hours & changes.near:
        return max(min(gap, _HOUR), gap - changes.largest)
    return max(gap - changes.largest, timedelta(0))


def _gap(seconds: int, minutes: int, hours: int) -> timedelta:
    """Return how far apart these times are at least, on a clock that nobody changes."""
    if seconds & seconds - 1:
        return _SECOND * _apart(seconds, 60)
    if minutes & minutes - 1:
        return timedelta(minutes=_apart(minutes, 60))
    return _HOUR * _apart(hours, 24) if hours & hours - 1 else _DAY


def _apart(mask: int, size: int) -> int:
    """Return the least distance of two bits in a ring of *size*; *mask* has two at least."""
    ring = mask | mask << size
    return next(distance for distance in range(1, size + 1) if mask & ring >> distance)


@lru_cache(maxsize=1024)
def _changes_of(zone: str, day: datetime) -> _Changes:
    found = list(clock_changes(zone_named(zone), day, day + WITHIN))
    hours = 0
    for change in found:
        hours |= _hours(change)
    near = (hours | hours << 1 | hours >> 1 | hours >> 23 | hours << 23) & (1 << 24) - 1
    largest = max((abs(change.shift) for change in found), default=timedelta(0))
    return _Changes(hours, near, largest, all(not change.shift % _HOUR for change in found))


def _hours(change: ClockChange) -> int:
    first, last = sorted((change.old, change.new))
    number = (last - _SECOND - first.replace(minute=0, second=0)) // _HOUR
    mask = 0
    for hour in range(first.hour, first.hour + min(number, 23) + 1):
        mask |= 1 << hour % 24
    return mask
