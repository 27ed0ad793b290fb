"""What died, ran out of time, or was never started: found by the database's clock, and settled.

One process at a time does this, under a lease; two at once would only do some of it in vain.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Connection, Engine, Row, case, exists, literal, select, update

from taskcfg.spec.fires import LIVE_STATES, EventState, ExecutionState, Outcome
from taskcfg.store.bulk import among
from taskcfg.store.closing import close_execution, dispatch_again
from taskcfg.store.columns import db_now, db_shift, in_seconds, is_one_of
from taskcfg.store.database import database_time, reading, writing
from taskcfg.store.nodes import WORKER, known_nodes, purge
from taskcfg.store.outbox import expire, has_expired
from taskcfg.store.settings_table import database_uuid
from taskcfg.store.tables import node, schedule_event, task_execution

UNCLAIMED_AFTER = timedelta(minutes=15)
SILENCE_AFTER_DEADLINE = timedelta(seconds=60)
"""How long past its hard limit an attempt may be silent before it counts as timed out."""

BATCH = 1_000

_e = schedule_event.c
_x = task_execution.c


@dataclass(frozen=True, slots=True)
class Reaped:
    """How many of each were found and settled; false when none were."""

    lost: int = 0
    timed_out: int = 0
    expired: int = 0
    unclaimed: int = 0
    stranded: int = 0

    def __bool__(self) -> bool:
        return any(getattr(self, each.name) for each in fields(self))

    def __str__(self) -> str:
        return " ".join(f"{each.name}={getattr(self, each.name)}" for each in fields(self))


def reap(database: Engine, *, unclaimed_after: timedelta = UNCLAIMED_AFTER) -> Reaped:
    """Settle, each in a transaction of its own, what nobody else will. Raises DatabaseUnavailable.

    Attempts of a dead worker become `lost`, silent ones past their hard limit `timed_out`, and
    their fires go on as the policy says. Fires not started in time are `expired`. A published
    fire that nobody has started *unclaimed_after* publishing, twice as long each time, is
    published again under the same id, if a living worker serves its queue. A Celery task that
    waits to retry itself in a worker that is dead is dispatched anew after *unclaimed_after*.
    """
    return Reaped(
        lost=_close(database, _of_dead_boot(), Outcome(ExecutionState.LOST, error="its worker died")),
        timed_out=_close(
            database,
            _x.deadline_at < in_seconds(-SILENCE_AFTER_DEADLINE.total_seconds()),
            Outcome(ExecutionState.TIMED_OUT, error="nothing was heard of it since its time limit"),
        ),
        expired=_expire(database),
        unclaimed=_publish_again(database, unclaimed_after),
        stranded=_dispatch_stranded(database, unclaimed_after),
    )


def _of_dead_boot() -> ColumnElement[bool]:
    alive = exists().where(node.c.id == _x.boot_id, node.c.ended_at.is_(None), node.c.expires_at > db_now())
    return _x.boot_id.is_not(None) & ~alive


def _close(database: Engine, condition: ColumnElement[bool], outcome: Outcome) -> int:
    with reading(database) as connection:
        running = select(_x.id).where(is_one_of(_x.state, ExecutionState.RUNNING), condition).limit(BATCH)
        ids = connection.scalars(running).all()
        database_id = database_uuid(connection)
    closed = 0
    for id_ in ids:
        with writing(database) as connection:
            closed += close_execution(connection, database_id, id_, outcome)
    return closed


def _expire(database: Engine) -> int:
    with writing(database) as connection:
        live = is_one_of(_e.state, *LIVE_STATES)
        rows = _locked(connection, live & has_expired(database_time(connection)))
        expire(connection, [row.id for row in rows])
        purge(connection)
        return len(rows)


def _publish_again(database: Engine, unclaimed_after: timedelta) -> int:
    with writing(database) as connection:
        workers = known_nodes(connection, WORKER, alive_only=True)
        served = {queue for worker in workers for queue in worker.queues or ()}
        anywhere = any(worker.queues is None for worker in workers)
        again, stranded = [], []
        for row in _locked(connection, _unclaimed(unclaimed_after)):
            queue = (row.message or {}).get("queue")
            if anywhere or (workers if queue is None else queue in served):
                again.append(row.id)
            else:
                stranded.append((row, _nobody(queue)))
        _release(connection, again)
        _explain(connection, stranded)
        return len(again)


def _dispatch_stranded(database: Engine, after: timedelta) -> int:
    """Dispatch anew the fires whose Celery task waits to retry itself, in a worker that is dead.

    Most brokers deliver that message again at once; on Redis it lies with the dead for a day.
    """
    with writing(database) as connection:
        found = select(_e.id, _e.task_config_id, _e.dedupe_key, _e.dispatch_no, _e.lost_count)
        stranded = found.where(_stranded(after)).order_by(_e.id).limit(BATCH)
        locking = stranded.with_for_update(of=schedule_event, key_share=True, skip_locked=True)
        fires = connection.execute(locking).all()
        for fire in fires:
            values = {
                "this_event": fire.id,
                "state": EventState.PENDING.value,
                "reason": "its retry was waiting in a worker that died",
                "lost_count": fire.lost_count,
                "wait": 0.0,
            }
            dispatch_again(connection, database_uuid(connection), fire, values)
        return len(fires)


def _stranded(after: timedelta) -> ColumnElement[bool]:
    """Return the condition that the present dispatch's last attempt ended as `retrying`, so long ago, on
    a worker that is dead."""
    early = in_seconds(-after.total_seconds())
    later = task_execution.alias("later")
    is_last = ~exists().where(
        later.c.schedule_event_id == _x.schedule_event_id,
        later.c.dispatch_no == _x.dispatch_no,
        later.c.celery_retry > _x.celery_retry,
    )
    waits = exists().where(
        _x.schedule_event_id == _e.id,
        _x.dispatch_no == _e.dispatch_no,
        _x.state == ExecutionState.RETRYING.value,
        _x.finished_at <= early,
        _of_dead_boot(),
        is_last,
    )
    return is_one_of(_e.state, EventState.PUBLISHED) & (_e.published_at <= early) & waits


def _unclaimed(after: timedelta) -> ColumnElement[bool]:
    times = case((_e.publish_attempts >= 8, 256), else_=literal(1).bitwise_lshift(_e.publish_attempts))
    started = exists().where(_x.schedule_event_id == _e.id, _x.dispatch_no == _e.dispatch_no)
    due = db_shift(_e.published_at, times * after.total_seconds()) <= db_now()
    # The first comparison is the one an index answers.
    early = _e.published_at <= in_seconds(-after.total_seconds())
    return is_one_of(_e.state, EventState.PUBLISHED) & early & due & ~started


def _locked(connection: Connection, condition: ColumnElement[bool]) -> list[Row[Any]]:
    found = select(_e.id, _e.message, _e.reason).where(condition).order_by(_e.id).limit(BATCH)
    locking = found.with_for_update(of=schedule_event, key_share=True, skip_locked=True)
    return list(connection.execute(locking))


def _release(connection: Connection, ids: Sequence[UUID]) -> None:
    connection.execute(
        update(schedule_event)
        .where(among(connection, _e.id, ids))
        .values(
            state=EventState.PENDING.value,
            reason=None,
            node_id=None,
            epoch=_e.epoch + 1,
            next_attempt_at=None,
            publish_attempts=_e.publish_attempts + 1,
        )
    )


def _explain(connection: Connection, stranded: Sequence[tuple[Row[Any], str]]) -> None:
    for reason in {said for row, said in stranded if row.reason != said}:
        ids = [row.id for row, said in stranded if said == reason]
        connection.execute(update(schedule_event).where(among(connection, _e.id, ids)).values(reason=reason))


def _nobody(queue: str | None) -> str:
    return "no worker is alive" if queue is None else f"no worker serves queue `{queue}`"
