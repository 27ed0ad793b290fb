"""The start of an attempt, written down: once for each dispatch, or refused."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Float, Row, Text, bindparam, cast, exists, func, select, update
from sqlalchemy.dialects import postgresql, sqlite

from taskcfg.failpoints import failpoint
from taskcfg.spec.fires import Dispatched, EventKind, EventState, ExecutionState, Refused, Started
from taskcfg.store.columns import db_now, db_shift, is_one_of
from taskcfg.store.hints import notify
from taskcfg.store.outbox import EXPIRED, has_expired
from taskcfg.store.spec_columns import labels_of
from taskcfg.store.tables import schedule_event, task_config, task_execution
from taskcfg.store.text import storable

_e = schedule_event.c
_x = task_execution.c
_t = task_config.c

_FIRE = (
    _e.id,
    _e.task_config_id,
    _e.kind,
    _e.nominal_at,
    _e.fire_at,
    _t.name,
    _t.type,
    cast(_t.labels, Text).label("labels"),
)


# Statements are made once: to put one together costs as much as to run it.
_THIS_FIRE = (
    select(
        *_FIRE,
        _e.state,
        _e.reason,
        _e.dispatch_no,
        _e.celery_id,
        _e.attempts,
        _e.message,
        _e.published_at,
        _e.cancel_requested_at,
        _t.retired_at,
        has_expired(db_now()).label("expired"),
        exists()
        .where(_x.schedule_event_id == _e.id, is_one_of(_x.state, ExecutionState.RUNNING))
        .label("running"),
    )
    .join(task_config, _t.id == _e.task_config_id)
    .where(_e.id == bindparam("this_fire"))
    .with_for_update(of=schedule_event, key_share=True)
)
_STARTED = (
    update(schedule_event)
    .where(_e.id == bindparam("this_fire"))
    .values(
        state=EventState.PUBLISHED.value,
        # A worker can be faster than the relay's own note of having published.
        published_at=func.coalesce(_e.published_at, db_now()),
        attempts=_e.attempts + 1,
        reason=None,
    )
)
_ENDED = update(schedule_event).where(_e.id == bindparam("this_fire")).values(done_at=db_now())
_INSERTS = {
    name: insert(task_execution)
    .values(
        state=ExecutionState.RUNNING.value,
        started_at=db_now(),
        deadline_at=db_shift(db_now(), bindparam("time_limit", type_=Float)),
    )
    .on_conflict_do_nothing()
    .returning(_x.id)
    for name, insert in (("postgresql", postgresql.insert), ("sqlite", sqlite.insert))
}
_RECORDED = (
    select(*_FIRE, _x.attempt)
    .select_from(task_execution)
    .join(schedule_event, _e.id == _x.schedule_event_id)
    .join(task_config, _t.id == _e.task_config_id)
    .where(_x.id == bindparam("this_execution"))
)


def start_execution(connection: Connection, dispatched: Dispatched, execution_id: UUID) -> Started | Refused:
    """Record the attempt as running under *execution_id*, or say why it may not run."""
    fire = connection.execute(_THIS_FIRE, {"this_fire": dispatched.event_id}).one_or_none()
    if fire is None:
        return Refused("there is no such fire")
    refusal = _stale(fire, dispatched) or _ended_unstarted(connection, fire)
    if refusal is not None:
        return Refused(refusal)
    attempt = fire.attempts + 1
    if not _insert(connection, fire, dispatched, execution_id, attempt):
        return Refused("this dispatch was started already")
    failpoint("starting.after_execution")
    connection.execute(_STARTED, {"this_fire": fire.id})
    failpoint("starting.before_commit")
    return _started(fire, execution_id, attempt)


def recorded_start(connection: Connection, execution_id: UUID) -> Started | None:
    """Return the start that was recorded under *execution_id*, if it was."""
    row = connection.execute(_RECORDED, {"this_execution": execution_id}).one_or_none()
    return None if row is None else _started(row, execution_id, row.attempt)


def _stale(fire: Row[Any], dispatched: Dispatched) -> str | None:
    """Return why the message is not the fire's present dispatch, if it is not."""
    if dispatched.dispatch_no != fire.dispatch_no:
        return f"dispatch {dispatched.dispatch_no} is over: the fire is at dispatch {fire.dispatch_no}"
    if dispatched.celery_id != fire.celery_id:
        return "the message is a copy: it has not the dispatch's own id"
    if fire.state not in (EventState.PENDING.value, EventState.PUBLISHED.value):
        return f"the fire is {fire.state}"
    return None


def _ended_unstarted(connection: Connection, fire: Row[Any]) -> str | None:
    """End a fire that may not start any more, and return why; None where it may.

    One whose attempt runs is refused only: this message came once more, and the attempt's end is the fire's.
    """
    if fire.cancel_requested_at is not None:
        state, reason = EventState.CANCELLED, fire.reason or "cancelled before it started"
    elif fire.retired_at is not None:
        state, reason = EventState.CANCELLED, "cancelled: the task was deleted"
    elif fire.expired:
        state, reason = EventState.EXPIRED, EXPIRED
    else:
        return None
    if fire.running:
        return reason
    ended = {"this_fire": fire.id, "state": state.value, "reason": reason}
    connection.execute(_ENDED, ended)
    notify(connection)
    return reason


def _insert(
    connection: Connection, fire: Row[Any], dispatched: Dispatched, execution_id: UUID, attempt: int
) -> bool:
    values = {
        "id": execution_id,
        "task_config_id": fire.task_config_id,
        "schedule_event_id": fire.id,
        "dispatch_no": dispatched.dispatch_no,
        "celery_retry": dispatched.celery_retry,
        "attempt": attempt,
        "celery_id": dispatched.celery_id,
        "worker": storable(dispatched.worker, longest=200),
        "boot_id": dispatched.boot_id,
        "queued_at": fire.published_at,
        "time_limit": (fire.message or {}).get("time_limit"),
    }
    return connection.scalar(_INSERTS[connection.dialect.name], values) is not None


def _started(fire: Row[Any], execution_id: UUID, attempt: int) -> Started:
    return Started(
        execution_id=execution_id,
        event_id=fire.id,
        task=fire.name,
        type=fire.type,
        kind=EventKind(fire.kind),
        nominal_at=fire.nominal_at,
        fire_at=fire.fire_at,
        attempt=attempt,
        labels=labels_of(fire.labels),
    )
