"""How many fires come when: by hour and weekday, by minute, by queue."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property
from typing import Any
from zoneinfo import ZoneInfo

from taskcfg.errors import TaskcfgError
from taskcfg.spec.fire_time import fire_time
from taskcfg.spec.instants import rfc3339
from taskcfg.spec.schedule import EPOCH, Schedule, Union
from taskcfg.spec.task import TaskSpec
from taskcfg.spec.times.timetable import Timetable, timetable

MOST_STEPS = 5_000_000
"""So many times or minutes are looked at, one by one, at most: some ten seconds, and half a GB."""

BUSIEST = 10
WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_MINUTE = timedelta(minutes=1)
_MICROSECOND = timedelta(microseconds=1)

logger = logging.getLogger("taskcfg.control")

Minutes = Counter[int]
"""Fires by minute, counted from 1970-01-01T00:00Z."""


@dataclass(frozen=True, slots=True)
class BusyMinute:
    """A minute, how many fires come in it, and how many of them in each queue, the largest number first."""

    at: datetime
    fires: int
    queues: tuple[tuple[str | None, int], ...]


@dataclass(frozen=True)
class Heatmap:
    """The fires in [start, end) by minute, for each queue (None: the Celery app's own routing)."""

    start: datetime
    end: datetime
    zone: ZoneInfo
    tasks: int
    queues: Mapping[str | None, Minutes]

    @cached_property
    def minutes(self) -> Minutes:
        """All of them, whatever their queue."""
        together: Minutes = Counter()
        for minutes in self.queues.values():
            together.update(minutes)
        return together

    @property
    def fires(self) -> int:
        return self.minutes.total()

    def hours(self, minutes: Minutes) -> list[list[int]]:
        """Return how many of *minutes* fall on each weekday, from Monday, and hour of the zone's clock."""
        hours = [[0] * 24 for _ in WEEKDAYS]
        for minute, fires in minutes.items():
            local = _instant(minute).astimezone(self.zone)
            hours[local.weekday()][local.hour] += fires
        return hours

    def minutes_of_the_hour(self) -> list[int]:
        """Return how many fall on each of the 60 minutes of an hour on the zone's clock."""
        found = [0] * 60
        for minute, fires in self.minutes.items():
            found[_instant(minute).astimezone(self.zone).minute] += fires
        return found

    def busiest(self, minutes: Minutes, most: int = BUSIEST) -> list[BusyMinute]:
        """Return the busiest of *minutes*, those with the most fires first, and of equals the earliest."""
        return [self._busy(minute) for minute in _ranked(minutes, most)]

    def _busy(self, minute: int) -> BusyMinute:
        queues = [(queue, found[minute]) for queue, found in self.queues.items() if found[minute]]
        queues.sort(key=lambda each: (-each[1], each[0] or ""))
        return BusyMinute(_instant(minute), self.minutes[minute], tuple(queues))

    def ranked_queues(self) -> list[tuple[str | None, Minutes]]:
        """Return the queues with their minutes, those with the most fires first."""
        return sorted(self.queues.items(), key=lambda each: (-each[1].total(), each[0] or ""))

    def document(self) -> dict[str, Any]:
        """Return the JSON shape of `taskcfg heatmap`."""
        return {
            "from": rfc3339(self.start),
            "to": rfc3339(self.end),
            "timezone": self.zone.key,
            "tasks": self.tasks,
            "fires": self.fires,
            "weekdays": self._weekdays(self.minutes),
            "minutes_of_the_hour": self.minutes_of_the_hour(),
            "busiest": [
                {
                    **self._minute(each.at, each.fires),
                    "queues": [{"queue": queue, "fires": fires} for queue, fires in each.queues],
                }
                for each in self.busiest(self.minutes)
            ],
            "queues": [
                {
                    "queue": queue,
                    "fires": minutes.total(),
                    "weekdays": self._weekdays(minutes),
                    "busiest": [self._minute(_instant(at), minutes[at]) for at in _ranked(minutes, BUSIEST)],
                }
                for queue, minutes in self.ranked_queues()
            ],
        }

    def _weekdays(self, minutes: Minutes) -> dict[str, list[int]]:
        return dict(zip(WEEKDAYS, self.hours(minutes), strict=True))

    def _minute(self, at: datetime, fires: int) -> dict[str, Any]:
        return {"at": rfc3339(at), "local": at.astimezone(self.zone).isoformat(), "fires": fires}


def heatmap(specs: Iterable[TaskSpec], start: datetime, end: datetime, zone: ZoneInfo) -> Heatmap:
    """Count the fires of the enabled tasks among *specs* in [start, end), by fire time; every one of them.

    Tasks that share a schedule and have no jitter are counted once. Raises TaskcfgError when that is
    too much work.
    """
    enabled = [spec for spec in specs if spec.enabled]
    queues: dict[str | None, Minutes] = {}
    steps = 0
    for (schedule, name, jitter), group in _shared(enabled).items():
        try:
            table = timetable(schedule, name)
        except ValueError as error:
            # Files are checked before; these rows were changed by hand, and are no reason to hide the others.
            for spec in group:
                logger.warning("task.unreadable task=%s reason=%r", spec.name, str(error))
            continue
        within = _Window(table, start, end, jitter, MOST_STEPS, isinstance(schedule, Union))
        steps += within.steps * (len(group) if jitter else len({spec.queue for spec in group}))
        if steps > MOST_STEPS:
            raise TaskcfgError(
                f"there are too many fires to count: more than {MOST_STEPS:,} one by one",
                hint="say a nearer `--to`, or which tasks",
            )
        _add(queues, within, group)
    firing = {queue: minutes for queue, minutes in queues.items() if minutes}
    return Heatmap(start, end, zone, len(enabled), firing)


def _shared(specs: Iterable[TaskSpec]) -> dict[tuple[Schedule, str, timedelta], list[TaskSpec]]:
    groups: dict[tuple[Schedule, str, timedelta], list[TaskSpec]] = {}
    for spec in specs:
        groups.setdefault((spec.schedule, spec.timezone, spec.policy.jitter), []).append(spec)
    return groups


def _add(queues: dict[str | None, Minutes], within: _Window, group: list[TaskSpec]) -> None:
    """Add what *group* fires to its queues."""
    if within.jitter:
        nominals = within.nominals()
        for spec in group:
            queues.setdefault(spec.queue, Counter()).update(within.jittered(spec.name, nominals))
        return
    minutes = within.minutes()
    for queue, tasks in Counter(spec.queue for spec in group).items():
        found = queues.setdefault(queue, Counter())
        for minute, fires in minutes.items():
            found[minute] += fires * tasks


@dataclass(frozen=True)
class _Window:
    """The times of *table* that fire in [start, end); counting *one_by_one* stops beyond *most*."""

    table: Timetable
    start: datetime
    end: datetime
    jitter: timedelta
    most: int
    one_by_one: bool

    @cached_property
    def steps(self) -> int:
        """How many times, or minutes where those are fewer, have to be looked at one by one."""
        number = self._count(self.start - self.jitter, self.end, self.most + 1)
        return number if self.jitter or self.one_by_one else min(number, self._all_minutes)

    def minutes(self) -> Minutes:
        if self.one_by_one or self.steps < self._all_minutes:
            return Counter((at - EPOCH) // _MINUTE for at in self.nominals())
        return Counter({minute: fires for minute, fires in self._minute_by_minute() if fires})

    def nominals(self) -> list[datetime]:
        return [each.at for each in self.table.between(self.start - self.jitter, self.end, self.most)]

    def jittered(self, task: str, nominals: Iterable[datetime]) -> Minutes:
        fires = (fire_time(task, self.jitter, nominal) for nominal in nominals)
        return Counter((at - EPOCH) // _MINUTE for at in fires if self.start <= at < self.end)

    def _minute_by_minute(self) -> Iterator[tuple[int, int]]:
        for minute in range(self._first, self._first + self._all_minutes):
            start = max(_instant(minute), self.start)
            yield minute, self._count(start, min(_instant(minute + 1), self.end), self.most)

    @property
    def _first(self) -> int:
        return (self.start - EPOCH) // _MINUTE

    @property
    def _all_minutes(self) -> int:
        return max(-(-(self.end - EPOCH) // _MINUTE) - self._first, 0)

    def _count(self, start: datetime, end: datetime, limit: int) -> int:
        return self.table.count_between(start, end - _MICROSECOND, limit)[0] if start < end else 0


def _ranked(minutes: Minutes, most: int) -> list[int]:
    return sorted(minutes, key=lambda minute: (-minutes[minute], minute))[:most]


def _instant(minute: int) -> datetime:
    return EPOCH + minute * _MINUTE
