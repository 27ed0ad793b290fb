"""The end of an attempt, written down: the execution and its fire, in one transaction."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Float, Row, Select, Text, bindparam, case, cast, select, update

from taskcfg.failpoints import failpoint
from taskcfg.spec.ending import Attempted, Ending, ending_of
from taskcfg.spec.fires import LIVE_STATES, EventKind, EventState, ExecutionState, Outcome, celery_id
from taskcfg.spec.policy import OverlapMode, Policy
from taskcfg.store.columns import db_now, db_shift, is_one_of
from taskcfg.store.hints import notify
from taskcfg.store.spec_columns import UNREADABLE, policy_of
from taskcfg.store.tables import schedule_event, task_config, task_execution
from taskcfg.store.text import storable, storable_result

_e = schedule_event.c
_x = task_execution.c
_t = task_config.c

# Statements are made once: to put one together costs as much as to run it.
_THIS: Select[Any] = (
    select(
        _x.dispatch_no,
        _e.id.label("event_id"),
        _e.task_config_id,
        _e.kind,
        _e.dedupe_key,
        _e.state.label("event_state"),
        _e.reason.label("event_reason"),
        _e.dispatch_no.label("event_dispatch_no"),
        _e.epoch,
        _e.attempts,
        _e.attempts_before,
        _e.lost_count,
        _e.cancel_requested_at,
        _t.retired_at,
        _t.enabled,
        cast(_t.policy, Text).label("policy"),
    )
    .select_from(task_execution)
    .join(schedule_event, _e.id == _x.schedule_event_id)
    .join(task_config, _t.id == _e.task_config_id)
    .where(_x.id == bindparam("this_execution"))
    # The fire's row is locked first, as by everybody: two closers wait for each other.
    .with_for_update(of=schedule_event, key_share=True)
)
_CLOSE = (
    update(task_execution)
    .where(_x.id == bindparam("this_execution"), is_one_of(_x.state, ExecutionState.RUNNING))
    # A clock that was set back meanwhile gives no attempt that ended before it began.
    .values(finished_at=case((_x.started_at > db_now(), _x.started_at), else_=db_now()))
)
_THIS_EVENT = update(schedule_event).where(_e.id == bindparam("this_event"))
_END = _THIS_EVENT.values(done_at=db_now())
_GO_ON = _THIS_EVENT.values(attempts_before=_e.attempts_before + 1)
_DISPATCH_AGAIN = _THIS_EVENT.values(
    next_attempt_at=db_shift(db_now(), bindparam("wait", type_=Float)),
    dispatch_no=_e.dispatch_no + 1,
    epoch=_e.epoch + 1,
    publish_attempts=0,
    published_at=None,
    node_id=None,
)


def close_execution(
    connection: Connection, database_id: UUID, execution_id: UUID, outcome: Outcome
) -> ExecutionState | None:
    """Close a running execution, and its fire with it, as *outcome* and the task's policy say.

    The fire is `done`, or `pending` under the next dispatch. Returns the execution's state; None: the
    attempt is not running any more, and nothing was changed.
    """
    row = connection.execute(_THIS, {"this_execution": execution_id}).one_or_none()
    if row is None:
        return None
    attempted = _attempted(row)
    ending = ending_of(outcome.state, attempted)
    cancelled = ending.execution is ExecutionState.CANCELLED and row.cancel_requested_at is not None
    values = {
        "this_execution": execution_id,
        "state": ending.execution.value,
        "result": storable_result(outcome.result),
        "error": storable(row.event_reason if cancelled else outcome.error),
        "traceback": storable(outcome.traceback, keep_end=True),
    }
    if not connection.execute(_CLOSE, values).rowcount:
        return None
    failpoint("closing.after_execution")
    if row.event_state in _OPEN and row.event_dispatch_no == row.dispatch_no:
        _settle(connection, database_id, row, ending)
        if ending.event not in LIVE_STATES and attempted.policy.overlap.mode in _MAKING_WAIT:
            notify(connection)
    failpoint("closing.before_commit")
    return ending.execution


_MAKING_WAIT = (OverlapMode.WAIT, OverlapMode.REPLACE)
_OPEN = (EventState.PENDING.value, EventState.PUBLISHED.value)


def _attempted(row: Row[Any]) -> Attempted:
    try:
        policy = policy_of(row.policy)
    except UNREADABLE:
        # Whoever spoiled the row by hand gets no further attempts out of it.
        policy = Policy()
    return Attempted(
        policy=policy,
        failures=row.attempts - row.attempts_before - row.lost_count,
        losses=row.lost_count,
        seed=f"{row.event_id}|{row.dispatch_no}",
        cancel_requested=row.cancel_requested_at is not None,
        gone=_gone(row),
    )


def _gone(row: Row[Any]) -> str | None:
    if row.retired_at is not None:
        return "cancelled: the task was deleted"
    if not row.enabled and row.kind == EventKind.SCHEDULED.value:
        return "cancelled: the task was disabled"
    return None


def _settle(connection: Connection, database_id: UUID, row: Row[Any], ending: Ending) -> None:
    lost = row.lost_count + (ending.execution is ExecutionState.LOST)
    cancelled = ending.event is EventState.CANCELLED and row.cancel_requested_at is not None
    values = {
        "this_event": row.event_id,
        "state": ending.event.value,
        "reason": row.event_reason if cancelled else ending.reason,  # it says who cancelled it
        "lost_count": lost,
    }
    if ending.event is EventState.PUBLISHED:
        # Celery's own retry is no failure of ours, and uses up none of the attempts.
        connection.execute(_GO_ON, values)
    elif ending.again_after is None:
        connection.execute(_END, values)
    else:
        dispatch_again(connection, database_id, row, values | {"wait": ending.again_after.total_seconds()})


def dispatch_again(connection: Connection, database_id: UUID, fire: Any, values: Mapping[str, Any]) -> None:
    """Put a fire back to be published, by anybody, under its next dispatch.

    Whatever is still on its way under an earlier dispatch is refused by the gate.
    """
    id_ = celery_id(database_id, fire.task_config_id, fire.dedupe_key, fire.dispatch_no + 1)
    connection.execute(_DISPATCH_AGAIN, {**values, "celery_id": id_})
