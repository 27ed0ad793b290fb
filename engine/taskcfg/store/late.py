"""What should have gone on by now, and did not."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Row, Select, and_, exists, func, or_, select

from taskcfg.spec.audit.verdict import MOST_KEPT, AuditFinding, Fault
from taskcfg.spec.fires import EventState, ExecutionState
from taskcfg.store.columns import is_one_of
from taskcfg.store.tables import node, schedule_event, task_config, task_execution, task_pause

_c = task_config.c
_e = schedule_event.c
_x = task_execution.c


@dataclass(frozen=True, slots=True)
class Patience:
    """How long after its time something is late. `unclaimed` is for what nobody has started: it may only
    stand in a long queue."""

    overdue: timedelta = timedelta(minutes=1)
    unclaimed: timedelta = timedelta(minutes=30)


def late_findings(connection: Connection, now: datetime, patience: Patience) -> Iterator[AuditFinding]:
    """Yield the tasks, fires and attempts that are late at *now*, of each kind a thousand at most."""
    overdue = now - patience.overdue
    for query, reason in (
        (_not_fired(overdue), "it is due, and no scheduler has recorded the fire"),
        (_not_published(overdue), "the fire is recorded, and not published"),
        (_not_started(now - patience.unclaimed), "it is published, and nobody has started it"),
        (_waiting_for_nothing(overdue), "it waits for its turn, and no other fire of the task is live"),
        (_running_on_the_dead(overdue), "its attempt is running on a worker that is dead"),
    ):
        for row in connection.execute(query.limit(MOST_KEPT)):
            yield _finding(row, reason)


def _finding(row: Row[Any], reason: str) -> AuditFinding:
    why = f"{reason} ({row.reason})" if row.reason else reason
    return AuditFinding(Fault.LATE, row.name, why, row.nominal_at, ids=() if row.id is None else (row.id,))


def _not_fired(before: datetime) -> Select[Any]:
    paused = exists().where(task_pause.c.task_config_id == _c.id)
    return select(
        _c.name, _c.next_nominal_at.label("nominal_at"), _c.error_reason.label("reason"), _no_id()
    ).where(_c.next_fire_at <= before, _c.retired_at.is_(None), _c.enabled, ~paused)


def _no_id() -> Any:
    return func.nullif(1, 1).label("id")


def _fires() -> Select[Any]:
    return select(_c.name, _e.nominal_at, _e.reason, _e.id).join(task_config, _c.id == _e.task_config_id)


def _not_published(before: datetime) -> Select[Any]:
    return _fires().where(
        is_one_of(_e.state, EventState.PENDING),
        _e.fire_at <= before,
        or_(_e.next_attempt_at.is_(None), _e.next_attempt_at <= before),
    )


def _not_started(before: datetime) -> Select[Any]:
    started = exists().where(_x.schedule_event_id == _e.id, _x.dispatch_no == _e.dispatch_no)
    return _fires().where(is_one_of(_e.state, EventState.PUBLISHED), _e.published_at <= before, ~started)


def _waiting_for_nothing(before: datetime) -> Select[Any]:
    other = schedule_event.alias("other")
    live = is_one_of(other.c.state, EventState.PENDING, EventState.PUBLISHED)
    others = exists().where(other.c.task_config_id == _e.task_config_id, live)
    return _fires().where(is_one_of(_e.state, EventState.WAITING), _e.fire_at <= before, ~others)


def _running_on_the_dead(before: datetime) -> Select[Any]:
    alive = exists().where(
        and_(node.c.id == _x.boot_id, node.c.ended_at.is_(None), node.c.expires_at > before)
    )
    return (
        _fires()
        .join(task_execution, _x.schedule_event_id == _e.id)
        .where(
            is_one_of(_x.state, ExecutionState.RUNNING),
            _x.boot_id.is_not(None),
            _x.started_at <= before,
            ~alive,
        )
    )
