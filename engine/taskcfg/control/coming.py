"""The coming fires of tasks, by their schedules alone."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from typing import Any
from zoneinfo import ZoneInfo

from taskcfg.errors import TaskcfgError
from taskcfg.spec.schedule import Schedule, rfc3339
from taskcfg.spec.task import TaskSpec
from taskcfg.spec.timetable import between, timetable

MOST = 1_000_000
END_OF_TIME = datetime(9999, 1, 1, tzinfo=UTC)


logger = logging.getLogger("taskcfg.control")


@dataclass(frozen=True, slots=True)
class ComingFire:
    """One nominal time of a task, in UTC, and the zone its schedule speaks of."""

    task: str
    nominal_at: datetime
    fire_at: datetime
    zone: str

    @property
    def local(self) -> datetime:
        """The nominal time in the task's zone."""
        return self.nominal_at.astimezone(ZoneInfo(self.zone))

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
    def instants(schedule: Schedule, zone: str) -> tuple[datetime, ...]:
        limit = MOST + 1 if count is None else min(count, MOST + 1)
        return tuple(between(timetable(schedule, zone), start, before, limit))

    fires: list[ComingFire] = []
    for spec in specs:
        if not spec.enabled:
            continue
        try:
            found = instants(spec.schedule, spec.timezone)
        except ValueError as error:
            # Files are checked before; this row was changed by hand, and is no reason to hide the others.
            logger.warning("task.unreadable task=%s reason=%r", spec.name, str(error))
            continue
        if len(fires) + len(found) > MOST:
            raise TaskcfgError(
                f"there are more than {MOST:,} fires", hint="say a nearer `--to`, or a smaller `--count`"
            )
        fires.extend(ComingFire(spec.name, instant, instant, spec.timezone) for instant in found)
    fires.sort(key=lambda fire: (fire.fire_at, fire.task))
    return Coming(start, end, tuple(fires))
