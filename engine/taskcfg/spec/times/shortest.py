"""How close together a schedule's nominal times come."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from itertools import pairwise

from taskcfg.spec.schedule import At, Every, Part, Schedule, parts_of, zone_of
from taskcfg.spec.times.clock_changes import WITHIN, clock_changes
from taskcfg.spec.times.closeness import clock_gap
from taskcfg.spec.times.cron_rules import cron_rule
from taskcfg.spec.times.timetable import Timetable, timetable
from taskcfg.spec.times.zones import until_zones_change, zone_named

WALKED = 500
"""So many nominal times of a year are looked at: of one schedule, or of those in a list together."""

_BEFORE_CHANGE, _AFTER_CHANGE = 2, 4
_LOOKS = 3
"""How often the timetables are asked about each time of one schedule in a list."""

_SECOND = timedelta(seconds=1)


@until_zones_change(4096)
def shortest_interval(schedule: Schedule, zone: str, now: datetime) -> timedelta | None:
    """Return the shortest time from one nominal time to the next after *now*, None when fewer than two come.

    Exact for intervals and lists of instants. Of all others the next `WALKED` within 13 months count,
    and those around each clock change of that time, which brings two together that are else apart; in a
    list of schedules, those of each with what comes before and after them. Raises ValueError as
    `timetable` does.
    """
    parts = parts_of(schedule)
    only = parts[0] if len(parts) == 1 else None
    if isinstance(only, Every):
        return only.interval
    table = timetable(schedule, zone)
    if isinstance(only, At):
        return _shortest(only.instants)
    if only is not None:
        found = [_shortest(_walked(table, now, WALKED), _least(only))]
    else:
        most = WALKED // max(_LOOKS * len(parts), 1)
        found = [
            _shortest(_near(table, instant))
            for part in parts
            for instant in _walked(timetable(part, zone), now, most)
        ]
    found += (_shortest(_around(table, change)) for change in _clock_changes(parts, zone, now))
    return min((each for each in found if each is not None), default=None)


def _shortest(instants: Iterable[datetime], least: timedelta = timedelta(0)) -> timedelta | None:
    """Return the shortest interval, and look no further where one is as short as *least*."""
    found: timedelta | None = None
    for earlier, later in pairwise(instants):
        if found is None or later - earlier < found:
            found = later - earlier
            if found <= least:
                break
    return found


def _least(part: Part) -> timedelta:
    """Return what no interval of *part* is below, but around clock changes."""
    rule = cron_rule(part)
    return timedelta(0) if rule is None else clock_gap([rule])


def _walked(table: Timetable, now: datetime, most: int) -> Iterator[datetime]:
    """Yield the next nominal times: two at least, and as many more as the year has, up to *most*."""
    found, number = table.next_after(now), 0
    while found is not None and number < max(most, 2) and (number < 2 or found.at <= now + WITHIN):
        yield found.at
        number += 1
        found = table.next_after(found.at)


def _near(table: Timetable, instant: datetime) -> list[datetime]:
    """Return *instant*, itself a nominal time, with the one before it and the one after it."""
    before, after = table.previous_before(instant), table.next_after(instant)
    return [each for each in (before and before.at, instant, after and after.at) if each is not None]


def _around(table: Timetable, change: datetime) -> list[datetime]:
    before: list[datetime] = []
    found = table.previous_before(change)
    while found is not None and len(before) < _BEFORE_CHANGE:
        before.append(found.at)
        found = table.previous_before(found.at)
    after: list[datetime] = []
    found = table.next_after(change - timedelta(microseconds=1))
    while found is not None and len(after) < _AFTER_CHANGE:
        after.append(found.at)
        found = table.next_after(found.at)
    return [*reversed(before), *after]


def _clock_changes(parts: Iterable[Part], zone: str, now: datetime) -> Iterator[datetime]:
    """Yield when clocks change within 13 months in the zones of *parts*."""
    zones = {zone_of(part, zone) for part in parts}
    for name in sorted(zones):
        for change in clock_changes(zone_named(name), now, now + WITHIN):
            yield change.at
