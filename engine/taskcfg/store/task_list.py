"""The tasks as people look at them: with their computed state, their pause and their last fire."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, Select, case, select

from taskcfg.spec.pause import Pause
from taskcfg.spec.policy import CatchUp
from taskcfg.spec.selection import LIVE_TASK_STATES as LIVE_TASK_STATES
from taskcfg.spec.task import TaskSpec
from taskcfg.spec.task import TaskState as TaskState
from taskcfg.store.bulk import among
from taskcfg.store.calendars import with_calendars
from taskcfg.store.spec_columns import SPEC_SELECTION, UNREADABLE, spec_of
from taskcfg.store.tables import schedule_event, task_config, task_execution, task_pause

_c = task_config.c


@dataclass(frozen=True, slots=True)
class TaskRow:
    """One task. `spec` is None where the row cannot be read, and `error` says why it does not fire.

    `last_fire_state` is that of its newest event, `last_execution_state` of its newest attempt.
    """

    id: int
    name: str
    type: str
    source: str
    state: TaskState
    spec: TaskSpec | None
    error: str | None
    enabled: bool
    version: int
    applied_version: int
    file: str | None
    line: int | None
    commit: str | None
    next_nominal_at: datetime | None
    next_fire_at: datetime | None
    last_nominal_at: datetime | None
    last_fire_state: str | None
    last_execution_state: str | None
    pause: Pause | None
    created_at: datetime
    updated_at: datetime
    retired_at: datetime | None


def task_rows(
    connection: Connection,
    *,
    ids: Collection[int] | None = None,
    names: Collection[str] | None = None,
    sources: Collection[str] | None = None,
    types: Collection[str] | None = None,
    states: Collection[TaskState] = LIVE_TASK_STATES,
) -> list[TaskRow]:
    """Return the tasks, by name, that are in one of *states* and, where given, one of the others.

    A name may stand for several retired rows, and at most one that is not.
    """
    query = _query().where(task_state().in_([state.value for state in states]))
    if TaskState.RETIRED not in states:
        query = query.where(_c.retired_at.is_(None))
    if ids is not None:
        query = query.where(among(connection, _c.id, ids))
    for column, wanted in ((_c.name, names), (_c.source, sources), (_c.type, types)):
        if wanted is not None:
            query = query.where(among(connection, column, wanted))
    rows = connection.execute(query.order_by(_c.name, _c.id))
    return [_task_row(row) for row in with_calendars(connection, rows)]


def task_state() -> ColumnElement[str]:
    """Return the SQL expression of a task's state, for queries that join `task_pause` outwardly."""
    return case(
        (_c.retired_at.is_not(None), TaskState.RETIRED.value),
        (_c.error_reason.is_not(None), TaskState.ERROR.value),
        (~_c.enabled, TaskState.INACTIVE.value),
        (task_pause.c.task_config_id.is_not(None), TaskState.PAUSED.value),
        else_=TaskState.ACTIVE.value,
    )


TASKS_AND_PAUSES = task_config.outerjoin(task_pause, task_pause.c.task_config_id == _c.id)

PAUSE_SELECTION = (
    task_pause.c.paused_by,
    task_pause.c.reason.label("pause_reason"),
    task_pause.c.since,
    task_pause.c.until,
    task_pause.c.missed,
)
"""What `pause_of` needs of a row."""


def pause_of(row: Row[Any]) -> Pause | None:
    """Return the pause in *row*, which selects `PAUSE_SELECTION`, if there is one."""
    if row.paused_by is None:
        return None
    missed = CatchUp(row.missed) if row.missed in tuple(CatchUp) else CatchUp.NONE  # changed by hand
    return Pause(row.paused_by, row.pause_reason, row.since, row.until, missed)


def _query() -> Select[Any]:
    event, execution = schedule_event.c, task_execution.c
    last_fire = select(event.state).where(event.task_config_id == _c.id)
    last_execution = select(execution.state).where(execution.task_config_id == _c.id)
    return select(
        *SPEC_SELECTION,
        _c.source,
        _c.applied_version,
        _c.commit,
        _c.error_reason,
        _c.next_nominal_at,
        _c.next_fire_at,
        _c.last_nominal_at,
        _c.created_at,
        _c.updated_at,
        _c.retired_at,
        *PAUSE_SELECTION,
        task_state().label("state"),
        last_fire.order_by(event.created_at.desc(), event.id.desc())
        .limit(1)
        .scalar_subquery()
        .label("last_fire_state"),
        last_execution.order_by(execution.started_at.desc(), execution.id.desc())
        .limit(1)
        .scalar_subquery()
        .label("last_execution_state"),
    ).select_from(TASKS_AND_PAUSES)


def _task_row(row: Row[Any]) -> TaskRow:
    spec, error = None, row.error_reason
    try:
        spec = spec_of(row)
    except UNREADABLE as unreadable:
        error = error or f"the row cannot be read: {type(unreadable).__name__}: {unreadable}"
    return TaskRow(
        id=row.id,
        name=row.name,
        type=row.type,
        source=row.source,
        state=TaskState(row.state),
        spec=spec,
        error=error,
        enabled=row.enabled,
        version=row.version,
        applied_version=row.applied_version,
        file=row.file,
        line=row.line,
        commit=row.commit,
        next_nominal_at=row.next_nominal_at,
        next_fire_at=row.next_fire_at,
        last_nominal_at=row.last_nominal_at,
        last_fire_state=row.last_fire_state,
        last_execution_state=row.last_execution_state,
        pause=pause_of(row),
        created_at=row.created_at,
        updated_at=row.updated_at,
        retired_at=row.retired_at,
    )
