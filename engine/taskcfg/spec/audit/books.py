"""What an audit reads: tasks, their fires and attempts, and what the tasks themselves noted."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from taskcfg.spec.times.timetable import Timetable


@dataclass(frozen=True, slots=True)
class Era:
    """A time in which a task had one schedule: after `start`, until `end` (None: still).

    `table` None gives no nominal time, as while a task is disabled. Fires recorded under it bear one of
    the `versions` (the lowest and the highest); what bears another was recorded by somebody who knew
    another schedule, and nothing is known of it. `sure` False: since when it holds is not known, but that
    it does from the first fire on that bears one of the versions.
    """

    start: datetime
    end: datetime | None
    table: Timetable | None
    versions: tuple[int, int]
    sure: bool = True

    def knows(self, version: int) -> bool:
        return self.versions[0] <= version <= self.versions[1]


@dataclass(frozen=True, slots=True)
class AuditedTask:
    """A task, and where its row stands.

    `eras` are those of which it is known what was to happen, in their order and apart from each other.
    `next_nominal_at` is the first nominal time that is not recorded yet, None when none is to follow; it
    speaks of an era without an end. `redispatched_since` says since when what a worker loses is dispatched
    again; None: it is not, or nobody knows.
    """

    id: int
    name: str
    eras: tuple[Era, ...] = ()
    next_nominal_at: datetime | None = None
    last_nominal_at: datetime | None = None
    redispatched_since: datetime | None = None


@dataclass(frozen=True, slots=True)
class AuditedFire:
    """A row of `schedule_event`. `gated` False: its attempts are not recorded."""

    id: UUID
    kind: str
    dedupe_key: str
    nominal_at: datetime
    fire_at: datetime
    version: int
    state: str
    reason: str | None
    dispatch_no: int
    celery_id: UUID | None
    attempts: int
    span_end: datetime | None
    span_count: int | None
    lost_count: int = 0
    gated: bool = True

    @property
    def last(self) -> datetime:
        """The last nominal time that it stands for."""
        return self.nominal_at if self.span_end is None else self.span_end


@dataclass(frozen=True, slots=True)
class AuditedAttempt:
    """A row of `task_execution`."""

    id: UUID
    fire_id: UUID
    dispatch_no: int
    celery_retry: int
    attempt: int
    celery_id: UUID
    state: str
    started_at: datetime
    finished_at: datetime | None


@dataclass(frozen=True, slots=True)
class Note:
    """A line that a task's own body wrote: it `began` or it `ended`."""

    word: str
    task: str
    fire_id: UUID
    attempt: int
    celery_id: UUID
