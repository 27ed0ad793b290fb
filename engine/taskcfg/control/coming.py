"""The coming fires of tasks, by their schedules alone."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any, NamedTuple

from taskcfg.errors import TaskcfgError
from taskcfg.spec.clock_effects import clock_note
from taskcfg.spec.duration import duration_text
from taskcfg.spec.fire_time import fire_time
from taskcfg.spec.instants import rfc3339
from taskcfg.spec.pause import Pause
from taskcfg.spec.schedule import Schedule
from taskcfg.spec.task import TaskSpec
from taskcfg.spec.times.nominal import NominalTime
from taskcfg.spec.times.timetable import Timetable, timetable

MOST = 1_000_000
END_OF_TIME = datetime(9999, 1, 1, tzinfo=UTC)
_NONE = timedelta(0)


logger = logging.getLogger("taskcfg.control")


class ComingFire(NamedTuple):
    """One nominal time of a task, and when its fire is dispatched, in UTC.

    `note` says what a clock change has to do with it. One that is `paused` comes only if the task is
    resumed before.
    """

    task: str
    nominal: NominalTime
    fire_at: datetime
    note: str | None = None
    paused: bool = False

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
        nominal_at = rfc3339(self.nominal_at)
        return {
            "task": self.task,
            "nominal_at": nominal_at,
            "fire_at": nominal_at if self.fire_at == self.nominal_at else rfc3339(self.fire_at),
            "local": self.local.isoformat(),
            "note": self.note,
            "paused": self.paused,
        }


@dataclass(frozen=True, slots=True)
class Coming:
    """The fires in [start, end) in order of fire time; `end` None is no end. `pauses` are by task."""

    start: datetime
    end: datetime | None
    fires: tuple[ComingFire, ...]
    pauses: Mapping[str, Pause] = field(default_factory=dict)

    def document(self) -> dict[str, Any]:
        """Return the JSON shape of `taskcfg next`."""
        return {
            "from": rfc3339(self.start),
            "to": None if self.end is None else rfc3339(self.end),
            "fires": [fire.document() for fire in self.fires],
            "paused": [
                {
                    "task": task,
                    "by": pause.by,
                    "reason": pause.reason,
                    "until": None if pause.until is None else rfc3339(pause.until),
                }
                for task, pause in sorted(self.pauses.items())
            ],
        }


def coming_fires(
    specs: Iterable[TaskSpec],
    start: datetime,
    end: datetime | None,
    count: int | None,
    pauses: Mapping[str, Pause] | None = None,
    begun: Mapping[str, datetime] | None = None,
) -> Coming:
    """Return the fires of the enabled tasks among *specs*, at most *count* of each.

    What is nominal before *start* and fires after it, for its jitter, comes where *begun*, the first nominal
    time that each task has still to fire, is not later.

    Raises TaskcfgError when there are more than a million.
    """
    before = END_OF_TIME if end is None else end
    paused = pauses or {}
    nominals = _nominals(start, before, count)

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
        if spec.policy.jitter and begun is not None and spec.name in begun:
            found = [each for each in found if each[0].at >= min(start, begun[spec.name])]
        within = _of_task(spec, found, paused.get(spec.name))
        fires.extend([fire for fire in within if start <= fire.fire_at < before][:count])
        if len(fires) > MOST:
            raise TaskcfgError(
                f"there are more than {MOST:,} fires", hint="say a nearer `--to`, or a smaller `--count`"
            )
    fires.sort(key=lambda fire: (fire.fire_at, fire.task))
    return Coming(start, end, tuple(fires), paused)


_Noted = list[tuple[NominalTime, str | None]]
"""Nominal times, each with what clock changes have to do with it."""


def _nominals(
    start: datetime, before: datetime, count: int | None
) -> Callable[[Schedule, str, timedelta], _Noted]:
    """Return what finds the times of a schedule in a zone that may fire, with a jitter, in the window."""
    limit = MOST + 1 if count is None else min(count, MOST) + 1

    @cache
    def nominals(schedule: Schedule, zone: str, jitter: timedelta) -> _Noted:
        # By fire time, which jitter makes later: what is nominal shortly before may fire in time.
        table = timetable(schedule, zone)
        return list(_noted(table.between(start - jitter, before, limit), table))

    return nominals


def _of_task(spec: TaskSpec, found: _Noted, pause: Pause | None) -> Iterator[ComingFire]:
    name, jitter = spec.name, spec.policy.jitter
    if jitter == _NONE and pause is None:
        return (ComingFire(name, nominal, nominal.at, note) for nominal, note in found)
    fires = ((nominal, fire_time(name, jitter, nominal.at), note) for nominal, note in found)
    return (ComingFire(name, nominal, at, note, _is_held(pause, at)) for nominal, at, note in fires)


def _is_held(pause: Pause | None, fire_at: datetime) -> bool:
    return pause is not None and (pause.until is None or fire_at < pause.until)


def _noted(times: Iterable[NominalTime], table: Timetable) -> Iterator[tuple[NominalTime, str | None]]:
    """Yield each of *times* with what clock changes have to do with it."""
    offsets: dict[str, timedelta | None] = {}
    for nominal in times:
        zone = nominal.zone.key
        if zone == "UTC":
            yield nominal, None
            continue
        offset = nominal.local.utcoffset()
        before = offsets.get(zone, offset)
        offsets[zone] = offset
        note = clock_note(nominal, table)
        if note is None and offset != before and offset is not None and before is not None:
            way = "forward" if offset > before else "back"
            note = f"clocks have gone {way} by {duration_text(abs(offset - before))}"
        yield nominal, note
