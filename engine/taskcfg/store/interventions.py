"""What operators do to single fires: found by their ids, cancelled, run again."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Row, Text, cast, select, update

from taskcfg.errors import FireNotReady
from taskcfg.failpoints import failpoint
from taskcfg.spec.fires import EventState, ExecutionState
from taskcfg.spec.intervention import Cancellation, NotPossible, Standing, cancellation, check_retry
from taskcfg.spec.overlap import Live, Waits, admit
from taskcfg.store.bulk import among
from taskcfg.store.claims import lock
from taskcfg.store.closing import dispatch_again
from taskcfg.store.columns import db_now, is_one_of
from taskcfg.store.database import Engine, reading
from taskcfg.store.hints import notify
from taskcfg.store.live_fires import live_fires, overlap_of
from taskcfg.store.settings_table import database_uuid
from taskcfg.store.tables import schedule_event, task_config, task_execution
from taskcfg.store.turns import replacing, take_turns_of

MOST_FOUND = 10
"""So many fires at most are named where one was meant."""

_e = schedule_event.c
_x = task_execution.c


@dataclass(frozen=True, slots=True)
class ToInterrupt:
    """A running attempt whose fire somebody cancelled, and the worker it runs on."""

    celery_id: UUID
    worker: str


def ids_like(connection: Connection, start: str) -> list[UUID]:
    """Return the ids of the fires, a few at most, whose id begins with the hexadecimal digits *start*."""
    first, last = UUID(start.ljust(32, "0")), UUID(start.ljust(32, "f"))
    found = select(_e.id).where(_e.id.between(first, last)).order_by(_e.id).limit(MOST_FOUND)
    return list(connection.scalars(found))


def newest_fire_of(connection: Connection, task_ids: Sequence[int]) -> UUID | None:
    """Return the task's fire that was attempted last; if none ever was, the one recorded last."""
    attempted = (
        select(_x.schedule_event_id)
        .where(_x.task_config_id.in_(task_ids))
        .order_by(_x.started_at.desc(), _x.id.desc())
    )
    recorded = (
        select(_e.id).where(_e.task_config_id.in_(task_ids)).order_by(_e.created_at.desc(), _e.id.desc())
    )
    found: UUID | None = connection.scalar(attempted.limit(1)) or connection.scalar(recorded.limit(1))
    return found


def cancel_fires(connection: Connection, ids: Sequence[UUID], *, actor: str) -> None:
    """Cancel live fires: all of *ids*, or none.

    What does not run is `cancelled` at once, and the gate refuses a message that is on its way.
    What runs is marked, and a scheduler has its worker stop it. Raises FireNotReady.
    """
    locked = _locked(connection, ids)
    ways = _checked(ids, locked, cancellation, "cannot be cancelled")
    reason = f"cancelled by {actor}"
    now = [id_ for id_, way in ways.items() if way is Cancellation.NOW]
    asking = [id_ for id_, way in ways.items() if way is Cancellation.ASKING]
    _write(
        connection, now,
        {"state": EventState.CANCELLED, "reason": reason, "done_at": db_now(), "epoch": _e.epoch + 1},
    )  # fmt: skip
    failpoint("cancel.after_cancelled")
    _write(connection, asking, {"cancel_requested_at": db_now(), "reason": reason})
    failpoint("cancel.before_commit")
    notify(connection)


def retry_fires(connection: Connection, ids: Sequence[UUID], *, actor: str) -> None:
    """Put ended fires back to be published, under their next dispatch: all of *ids*, or none.

    Their budget of attempts and redispatches is fresh, and they no longer expire. What the task's
    overlap has wait goes when its turn comes. Raises FireNotReady.
    """
    task_ids = connection.scalars(select(_e.task_config_id).where(among(connection, _e.id, ids)).distinct())
    lock(connection, task_ids.all())  # tasks before their fires, as by everybody who adds one
    locked = _locked(connection, ids)
    _checked(ids, locked, check_retry, "cannot be retried")
    database_id = database_uuid(connection)
    overlaps = {row.task_config_id: overlap_of(row.policy) for row in locked.values()}
    live = live_fires(connection, overlaps)
    for id_ in ids:
        task = locked[id_].task_config_id
        admission = admit(overlaps[task], live.get(task, Live()), scheduled=False)
        live[task] = live.get(task, Live()).joined_by(admission)
        state, reason = EventState.PENDING, f"retried by {actor}"
        if isinstance(admission, Waits):
            state, reason = EventState.WAITING, f"{admission.reason} ({reason})"
        fresh = {
            "this_event": id_,
            "state": state.value,
            "reason": reason,
            "lost_count": 0,
            "attempts_before": locked[id_].attempts,
            "expires_at": None,
            "cancel_requested_at": None,
            "done_at": None,
            "wait": 0.0,
        }
        dispatch_again(connection, database_id, locked[id_], fresh)
    take_turns_of(connection, replacing(overlaps))
    failpoint("retry.before_commit")
    notify(connection)


def attempts_to_interrupt(database: Engine) -> list[ToInterrupt]:
    """Return the running attempts whose fires were cancelled. Raises DatabaseUnavailable."""
    with reading(database) as connection:
        rows = connection.execute(
            select(_x.celery_id, _x.worker)
            .join(schedule_event, _e.id == _x.schedule_event_id)
            .where(
                is_one_of(_x.state, ExecutionState.RUNNING),
                is_one_of(_e.state, EventState.PUBLISHED),
                _e.cancel_requested_at.is_not(None),
            )
        )
        return [ToInterrupt(row.celery_id, row.worker or "") for row in rows]


def _locked(connection: Connection, ids: Sequence[UUID]) -> dict[UUID, Row[Any]]:
    """Lock the fires, in the order in which everybody locks them, and return how they stand."""
    newest = (
        select(_x.state)
        .where(_x.schedule_event_id == _e.id)
        .order_by(_x.attempt.desc(), _x.id.desc())
        .limit(1)
        .scalar_subquery()
    )
    locking = select(_e.id).where(among(connection, _e.id, ids)).order_by(_e.id)
    connection.execute(locking.with_for_update(key_share=True)).all()
    found = connection.execute(
        select(
            _e.id,
            _e.task_config_id,
            _e.dedupe_key,
            _e.dispatch_no,
            _e.state,
            _e.attempts,
            _e.message.is_not(None).label("has_message"),
            cast(task_config.c.policy, Text).label("policy"),
            task_config.c.name,
            task_config.c.retired_at,
            newest.label("execution"),
        )
        .join(task_config, task_config.c.id == _e.task_config_id)
        .where(among(connection, _e.id, ids))
    )
    return {row.id: row for row in found}


def _checked(
    ids: Sequence[UUID], rows: dict[UUID, Row[Any]], check: Callable[[Standing], Any], refused: str
) -> dict[UUID, Any]:
    answers = {}
    for id_ in ids:
        row = rows.get(id_)
        if row is None:
            raise FireNotReady(f"fire {id_} {refused}: it is gone")
        try:
            answers[id_] = check(_standing(row))
        except NotPossible as error:
            raise FireNotReady(f"fire {id_} of `{row.name}` {refused}: {error}", hint=error.hint) from error
    return answers


def _standing(row: Row[Any]) -> Standing:
    return Standing(
        task=row.name,
        event=EventState(row.state),
        execution=ExecutionState(row.execution) if row.execution else None,
        retired=row.retired_at is not None,
        has_message=row.has_message,
    )


def _write(connection: Connection, ids: Sequence[UUID], values: dict[str, Any]) -> None:
    if ids:
        connection.execute(update(schedule_event).where(among(connection, _e.id, ids)).values(values))
