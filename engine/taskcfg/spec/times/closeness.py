"""How close nominal times can come at most, told without walking through them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from itertools import pairwise
from typing import NamedTuple

from taskcfg.spec.schedule import Every, Schedule, parts_of, rule_of, zone_of
from taskcfg.spec.times.clock_changes import WITHIN, ClockChange, clock_changes
from taskcfg.spec.times.cron import CronRule
from taskcfg.spec.times.cron_rules import cron_rule
from taskcfg.spec.times.zones import until_zones_change, zone_named

_HOUR = timedelta(hours=1)
_DAY = timedelta(days=1)
_SECOND = timedelta(seconds=1)
_MOST = 300
"""So many times a day of schedules in a list are compared."""


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
    if len(parts) == 1 and isinstance(only := rule_of(parts[0]), Every):
        return only.interval
    rules = [rule for part in parts if (rule := cron_rule(part)) is not None]
    zones = {zone_of(part, zone) for part in parts}
    if len(rules) != len(parts) or len(zones) != 1:
        return timedelta(0)
    return _around_changes(rules, _changes_of(zones.pop(), midnight(now)))


@lru_cache(maxsize=16)
def midnight(now: datetime) -> datetime:
    """Return when the day of *now* began in UTC: what is looked at from then on is the same all day."""
    return now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)


def hours_of_changes(zone: str, day: datetime) -> int:
    """Return the hours of the day, as bits, in which *zone*'s clocks skip a time or show one twice.

    Counts 13 months from *day*, which is a midnight in UTC.
    """
    return _changes_of(zone, day).hours


def _around_changes(rules: Sequence[CronRule], changes: _Changes) -> timedelta:
    gap = clock_gap(rules)
    # Far from the changes, and where clocks go by whole hours past `*`, they bring nothing within an hour.
    unmoved = len(rules) == 1 and rules[0].follows_real_time and changes.whole_hours
    if unmoved or not any(rule.times.hours & changes.near for rule in rules):
        return max(min(gap, _HOUR), gap - changes.largest)
    return max(gap - changes.largest, timedelta(0))


def clock_gap(rules: Sequence[CronRule]) -> timedelta:
    """Return how far apart the times of *rules* are at least, on one clock that nobody changes."""
    if len(rules) == 1:
        times = rules[0].times
        return _gap(times.seconds, times.minutes, times.hours)
    masks = [(rule.times.hours, rule.times.minutes, rule.times.seconds) for rule in rules]
    if (
        sum(hour.bit_count() * minute.bit_count() * second.bit_count() for hour, minute, second in masks)
        > _MOST
    ):
        return timedelta(0)
    times_of_day = {
        (hour * 60 + minute) * 60 + second
        for hours, minutes, seconds in masks
        for hour in _bits(hours)
        for minute in _bits(minutes)
        for second in _bits(seconds)
    }
    ordered = sorted(times_of_day)
    ordered.append(ordered[0] + _DAY // _SECOND)
    return _SECOND * min(later - earlier for earlier, later in pairwise(ordered))


def _bits(mask: int) -> list[int]:
    return [bit for bit in range(mask.bit_length()) if mask >> bit & 1]


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


@until_zones_change(1024)
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
