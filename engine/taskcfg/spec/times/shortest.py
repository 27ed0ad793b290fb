"""How close together the nominal times of a schedule come."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from itertools import pairwise

from taskcfg.spec.schedule import Every, Qualified, Schedule, parts_of, rule_of
from taskcfg.spec.times.offsets import offsets_of
from taskcfg.spec.times.timetable import timetable
from taskcfg.spec.times.zones import zone_named

WITHIN = timedelta(days=396)
"""So far ahead clock changes are looked at: 13 months, every change of a year at least."""

_LOOKED_AT = 400
_AROUND = timedelta(hours=26)


@lru_cache(maxsize=4096)
def shortest_interval(schedule: Schedule, zone: str, start: datetime) -> timedelta | None:
    """Return the shortest interval between nominal times from *start* on, None where there are not two.

    The first few hundred are looked at, and those around the clock changes of the next 13 months.
    """
    parts = parts_of(schedule)
    if len(parts) == 1 and isinstance(rule := rule_of(parts[0]), Every):
        return rule.interval
    found = [_shortest(schedule, zone, start, start + WITHIN)]
    for change in _clock_changes(schedule, zone, start):
        found.append(_shortest(schedule, zone, change - _AROUND, change + _AROUND))
    return min((each for each in found if each is not None), default=None)


def _shortest(schedule: Schedule, zone: str, start: datetime, end: datetime) -> timedelta | None:
    times = timetable(schedule, zone).between(start, end, _LOOKED_AT)
    return min((later.at - earlier.at for earlier, later in pairwise(times)), default=None)


def _clock_changes(schedule: Schedule, zone: str, start: datetime) -> Iterator[datetime]:
    zones = {part.timezone or zone if isinstance(part, Qualified) else zone for part in parts_of(schedule)}
    first = int(start.timestamp())
    for name in sorted(zones):
        for stretch in offsets_of(zone_named(name)).stretches(first):
            if stretch.start >= first + WITHIN.total_seconds():
                break
            if stretch.offset != stretch.before and stretch.start >= first:
                yield datetime.fromtimestamp(stretch.start, UTC)
