"""The coming fires of tasks, by their schedules alone."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

from taskcfg.errors import TaskcfgError
from taskcfg.spec.fire_time import fire_time
from taskcfg.spec.instants import rfc3339
from taskcfg.spec.schedule import Schedule
from taskcfg.spec.task import TaskSpec
from taskcfg.spec.times.nominal import NominalTime
from taskcfg.spec.times.timetable import timetable

MOST = 1_000_000
END_OF_TIME = datetime(9999, 1, 1, tzinfo=UTC)


logger = logging.getLogger("taskcfg.control")


@dataclass(frozen=True, slots=True)
class ComingFire:
    """One nominal time of a task, and when its fire is dispatched, in UTC."""

    task: str
    nominal: NominalTime
    fire_at: datetime

    @property
    def nominal_at(self) -> datetime:
        return self.nominal.at

    @property
    def local(self) -> datetime:
        """The nominal time in the schedule's zone."""
        return self.nominal.local

    @property
    def zone(self) -> str:
        return self.nominal.zone.key

    def document(self) -> dict[str, Any]:
        return {
            "task": self.task,
            "nominal_at": rfc3339(self.nominal_at),
            "fire_at": rfc3339(self.fire_at),
            "local": self.local.isoformat(),
        }


@dataclass(frozen=True, slots=True)
class Coming:
    """The fires in [start, end) in order of fire time; `end` None is no end."""

    start: datetime
    end: datetime | None
    fires: tuple[ComingFire, ...]

    def document(self) -> dict[str, Any]:
        """Return the JSON shape of `taskcfg next`."""
        return {
            "from": rfc3339(self.start),
            "to": None if self.end is None else rfc3339(self.end),
            "fires": [fire.document() for fire in self.fires],
        }


def coming_fires(
    specs: Iterable[TaskSpec], start: datetime, end: datetime | None, count: int | None
) -> Coming:
    """Return the fires of the enabled tasks among *specs*, at most *count* of each.

    Raises TaskcfgError when there are more than a million.
    """
    before = END_OF_TIME if end is None else end

    @cache
    def nominals(schedule: Schedule, zone: str, jitter: timedelta) -> tuple[NominalTime, ...]:
        # By fire time, which jitter makes later: what is nominal shortly before may fire in time.
        limit = MOST + 1 if count is None else min(count, MOST) + 1
        return tuple(timetable(schedule, zone).between(start - jitter, before, limit))

    fires: list[ComingFire] = []
    for spec in specs:
        if not spec.enabled:
            continue
        try:
            found = nominals(spec.schedule, spec.timezone, spec.policy.jitter)
        except ValueError as error:
            # Files are checked before; this row was changed by hand, and is no reason to hide the others.
            logger.warning("task.unreadable task=%s reason=%r", spec.name, str(error))
            continue
        coming = (ComingFire(spec.name, each, _fire_time(spec, each)) for each in found)
        within = [fire for fire in coming if start <= fire.fire_at < before]
        fires.extend(within[:count])
        if len(fires) > MOST:
            raise TaskcfgError(
                f"there are more than {MOST:,} fires", hint="say a nearer `--to`, or a smaller `--count`"
            )
    fires.sort(key=lambda fire: (fire.fire_at, fire.task))
    return Coming(start, end, tuple(fires))


def _fire_time(spec: TaskSpec, nominal: NominalTime) -> datetime:
    return fire_time(spec.name, spec.policy.jitter, nominal.at)
