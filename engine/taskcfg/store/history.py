"""What happened: fires and executions, the newest first, a page at a time."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Generic, TypeVar
from uuid import UUID

from sqlalchemy import Column, Connection, Row, Select, Table, and_, or_, select

from taskcfg.errors import TaskcfgError
from taskcfg.store.bulk import among
from taskcfg.store.columns import EPOCH
from taskcfg.store.ids import first_id
from taskcfg.store.tables import schedule_event, task_config, task_execution

DEFAULT_LIMIT = 50

_CLOCKS_DIFFER = timedelta(minutes=5)
"""How far the clock that an id was made by may be ahead of the one that wrote the row."""

_e = schedule_event.c
_x = task_execution.c
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class FireRow:
    """One fire. `span_end` and `span_count` belong to a missed span, which `nominal_at` begins."""

    id: UUID
    task: str
    kind: str
    nominal_at: datetime
    fire_at: datetime
    state: str
    reason: str | None
    celery_id: UUID | None
    dispatch_no: int
    attempts: int
    requested_by: str | None
    span_end: datetime | None
    span_count: int | None
    created_at: datetime
    published_at: datetime | None
    done_at: datetime | None


@dataclass(frozen=True, slots=True)
class ExecutionRow:
    """One attempt; `duration` in seconds, None while it runs."""

    id: UUID
    event_id: UUID
    task: str
    celery_id: UUID
    attempt: int
    state: str
    worker: str | None
    queued_at: datetime | None
    started_at: datetime
    finished_at: datetime | None
    result: Any
    error: str | None
    traceback: str | None

    @property
    def duration(self) -> float | None:
        return None if self.finished_at is None else (self.finished_at - self.started_at).total_seconds()


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """Rows, and the cursor that leads to the ones after them, None when there are no more."""

    rows: tuple[T, ...]
    next_cursor: str | None


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which rows: of one task (by name, also when it is retired) or of the rows `task_ids`, in some
    states, since an instant."""

    task: str | None = None
    states: Collection[str] | None = None
    since: datetime | None = None
    limit: int = DEFAULT_LIMIT
    cursor: str | None = None
    task_ids: Collection[int] | None = None

    @property
    def of_one_task(self) -> bool:
        return self.task is not None or (self.task_ids is not None and len(self.task_ids) == 1)


def fires(connection: Connection, wanted: Wanted | None = None) -> Page[FireRow]:
    """Return recorded fires, the newest first. Raises TaskcfgError for a cursor that is none."""
    wanted = wanted or Wanted()
    query = _filtered(connection, _FIRES, schedule_event, wanted)
    if wanted.since is not None:
        query = query.where(_e.created_at >= wanted.since, _e.id >= first_id(wanted.since - _CLOCKS_DIFFER))
    after = _cursor(wanted)
    if not wanted.of_one_task:
        # Ids sort by time; with a task, its own index on the time does better.
        query = query if after is None else query.where(_e.id < after.id)
        query = query.order_by(_e.id.desc())
    else:
        query = _older(query, schedule_event, _e.created_at, after)
    return _page(
        [_fire_row(row) for row in connection.execute(query.limit(wanted.limit + 1))], wanted, _e.created_at
    )


def executions(connection: Connection, wanted: Wanted | None = None) -> Page[ExecutionRow]:
    """Return attempts, the newest first. Raises TaskcfgError for a cursor that is none."""
    wanted = wanted or Wanted()
    query = _filtered(connection, _EXECUTIONS, task_execution, wanted)
    if wanted.since is not None:
        query = query.where(_x.started_at >= wanted.since)
    query = _older(query, task_execution, _x.started_at, _cursor(wanted))
    rows = [_execution_row(row) for row in connection.execute(query.limit(wanted.limit + 1))]
    return _page(rows, wanted, _x.started_at)


def fires_by_id(connection: Connection, ids: Collection[UUID]) -> list[FireRow]:
    """Return these fires, those that are there, in the order of their ids."""
    query = _FIRES.where(among(connection, _e.id, ids)).order_by(_e.id)
    return [_fire_row(row) for row in connection.execute(query)]


def executions_of(connection: Connection, event_ids: Collection[UUID]) -> dict[UUID, list[ExecutionRow]]:
    """Return the attempts of these fires, the first one first, by the fire's id."""
    query = _EXECUTIONS.where(among(connection, _x.schedule_event_id, event_ids)).order_by(_x.attempt, _x.id)
    found: dict[UUID, list[ExecutionRow]] = {id_: [] for id_ in event_ids}
    for row in connection.execute(query):
        found[row.schedule_event_id].append(_execution_row(row))
    return found


_FIRES: Select[Any] = select(schedule_event, task_config.c.name.label("task")).join(
    task_config, task_config.c.id == _e.task_config_id
)
_EXECUTIONS: Select[Any] = select(task_execution, task_config.c.name.label("task")).join(
    task_config, task_config.c.id == _x.task_config_id
)


def _filtered(connection: Connection, query: Select[Any], table: Table, wanted: Wanted) -> Select[Any]:
    task_id = table.c.task_config_id
    if wanted.task is not None:
        named = select(task_config.c.id).where(task_config.c.name == wanted.task)
        query = query.where(task_id.in_(named))
    if wanted.task_ids is not None:
        # One is given as it is: only so does each database see that the index on the task will do.
        one = len(wanted.task_ids) == 1
        chosen = (
            task_id == next(iter(wanted.task_ids)) if one else among(connection, task_id, wanted.task_ids)
        )
        query = query.where(chosen)
    if wanted.states is not None:
        query = query.where(table.c.state.in_(wanted.states))
    return query


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a page ended, whether its last row is still there or was purged since."""

    time: datetime
    id: UUID

    @classmethod
    def parse(cls, text: str) -> _Place:
        """Raises ValueError."""
        microseconds, _, id_ = text.partition("-")
        try:
            return cls(EPOCH + timedelta(microseconds=int(microseconds, 16)), UUID(id_))
        except OverflowError as error:
            raise ValueError("no such time") from error

    def __str__(self) -> str:
        return f"{(self.time - EPOCH) // timedelta(microseconds=1):x}-{self.id.hex}"


def _older(query: Select[Any], table: Table, time: Column[datetime], after: _Place | None) -> Select[Any]:
    """Order *query* by *time*, the newest first, and begin behind *after*."""
    if after is not None:
        query = query.where(or_(time < after.time, and_(time == after.time, table.c.id < after.id)))
    return query.order_by(time.desc(), table.c.id.desc())


def _cursor(wanted: Wanted) -> _Place | None:
    try:
        return None if wanted.cursor is None else _Place.parse(wanted.cursor)
    except ValueError as error:
        raise TaskcfgError(
            f"`{wanted.cursor}` is no cursor", hint="use the `next_cursor` of the page before"
        ) from error


def _page(rows: list[Any], wanted: Wanted, time: Column[datetime]) -> Page[Any]:
    shown = rows[: wanted.limit]
    if len(rows) <= wanted.limit:
        return Page(tuple(shown), None)
    last = shown[-1]
    return Page(tuple(shown), str(_Place(getattr(last, time.name), last.id)))


def _fire_row(row: Row[Any]) -> FireRow:
    return FireRow(**{name: getattr(row, name) for name in FireRow.__slots__})


def _execution_row(row: Row[Any]) -> ExecutionRow:
    values = {name: getattr(row, name) for name in ExecutionRow.__slots__ if name != "event_id"}
    return ExecutionRow(event_id=row.schedule_event_id, **values)
