"""How things stand: numbers for `status`, and what wants a look."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection, func, or_, select

from taskcfg.spec.fires import EventState
from taskcfg.store.columns import db_now, is_one_of
from taskcfg.store.tables import schedule_event, task_config
from taskcfg.store.task_list import TASKS_AND_PAUSES, TaskState, task_state

_c = task_config.c
_e = schedule_event.c


@dataclass(frozen=True, slots=True)
class Standing:
    """Tasks by state and, of those not retired, by type; and fires whose time has come but that no
    broker has confirmed: how many, and for how many seconds the oldest has waited."""

    by_state: dict[TaskState, int]
    by_type: dict[str, int]
    pending: int
    oldest_age: float | None


@dataclass(frozen=True, slots=True)
class Attention:
    task: str
    reason: str


def standing(connection: Connection) -> Standing:
    """Return the numbers. Their cost grows with the tasks and what is pending, not with the history."""
    state = task_state()
    by_state = dict.fromkeys(TaskState, 0)
    for name, number in connection.execute(
        select(state, func.count()).select_from(TASKS_AND_PAUSES).group_by(state)
    ):
        by_state[TaskState(name)] = number
    types = select(_c.type, func.count()).where(_c.retired_at.is_(None)).group_by(_c.type).order_by(_c.type)
    waiting = [is_one_of(_e.state, EventState.PENDING), _e.fire_at <= db_now()]
    waiting.append(or_(_e.next_attempt_at.is_(None), _e.next_attempt_at <= db_now()))
    pending, oldest, now = connection.execute(
        select(func.count(), func.min(func.coalesce(_e.next_attempt_at, _e.fire_at)), db_now()).where(
            *waiting
        )
    ).one()
    return Standing(
        by_state=by_state,
        by_type={row[0]: row[1] for row in connection.execute(types)},
        pending=pending,
        oldest_age=None if oldest is None else max((now - oldest).total_seconds(), 0.0),
    )


def attention(connection: Connection, limit: int = 50) -> list[Attention]:
    """Return, by name, the tasks that do not fire for an error and those with a fire that is stuck."""
    errors = select(_c.name, _c.error_reason).where(_c.error_reason.is_not(None), _c.retired_at.is_(None))
    stuck = (
        select(_c.name, _e.reason)
        .join(schedule_event, _e.task_config_id == _c.id)
        .where(is_one_of(_e.state, EventState.PENDING, EventState.PUBLISHED), _e.reason.is_not(None))
        .distinct()
    )
    found = [
        Attention(name, reason)
        for query in (errors, stuck)
        for name, reason in connection.execute(query.order_by(_c.name).limit(limit))
    ]
    return sorted(found, key=lambda each: (each.task, each.reason))[:limit]
