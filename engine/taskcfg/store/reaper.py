"""What died, ran out of time, or was never started: found by the database's clock, and settled.

One process at a time does this, under a lease; two at once would only do some of it in vain.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import (
    ColumnElement,
    Connection,
    Engine,
    Row,
    and_,
    case,
    exists,
    literal,
    or_,
    select,
    update,
)

from taskcfg.failpoints import failpoint
from taskcfg.spec.fires import LIVE_STATES, EventState, ExecutionState, Outcome
from taskcfg.store.bulk import among
from taskcfg.store.closing import close_execution, dispatch_again
from taskcfg.store.columns import db_now, db_shift, in_seconds, is_one_of
from taskcfg.store.database import database_time, reading
from taskcfg.store.nodes import WORKER, is_alive, known_nodes, purge
from taskcfg.store.outbox import expire, has_expired
from taskcfg.store.settings_table import database_uuid
from taskcfg.store.tables import node, schedule_event, task_execution
from taskcfg.store.trust import Confidence, Timekeeper, deciding

UNCLAIMED_AFTER = timedelta(minutes=15)
SILENCE_AFTER_DEADLINE = timedelta(seconds=60)
"""How long past its hard limit an attempt may be silent before it counts as timed out."""

UNREGISTERED_AFTER = 30.0
"""Seconds a worker may run something before it has a row: the database was away when it started."""

BATCH = 1_000

CONFIDENT = Confidence()

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


def reap(
    database: Engine, *, unclaimed_after: timedelta = UNCLAIMED_AFTER, confidence: Confidence = CONFIDENT
) -> Reaped:
    """Settle, each in a transaction of its own, what nobody else will. Raises DatabaseUnavailable, and
    Untimely when it must stop in the middle.

    Attempts of a dead worker become `lost`, silent ones past their hard limit `timed_out`, and
    their fires go on as the policy says. Fires not started in time are `expired`. A published
    fire that nobody has started *unclaimed_after* publishing, twice as long each time, is
    published again under the same id, if a living worker serves its queue. A Celery task that
    waits to retry itself in a worker that is dead is dispatched anew after *unclaimed_after*.

    *confidence* says for how long the database could be reached and its clock ran evenly. A worker is
    dead when it had a whole lease in that time and did not renew its row; an attempt is silent when
    it had its whole limit.
    """
    dead = _of_dead_boot(confidence.undisturbed)
    keeper = confidence.timekeeper
    return Reaped(
        lost=_close(database, confidence, dead, Outcome(ExecutionState.LOST, error="its worker died")),
        timed_out=_close(
            database,
            confidence,
            _silent(confidence.steady),
            Outcome(ExecutionState.TIMED_OUT, error="nothing was heard of it since its time limit"),
        ),
        expired=_expire(database, confidence),
        unclaimed=_publish_again(database, keeper, unclaimed_after),
        stranded=_dispatch_stranded(database, keeper, dead, unclaimed_after),
    )


def _of_dead_boot(undisturbed: float | None) -> ColumnElement[bool]:
    its_row = exists().where(node.c.id == _x.boot_id)
    if undisturbed is None:
        return _x.boot_id.is_not(None) & ~its_row.where(is_alive())
    dead = its_row.where(_is_dead(undisturbed))
    return or_(dead, _x.boot_id.is_not(None) & ~its_row) if undisturbed >= UNREGISTERED_AFTER else dead


def _is_dead(undisturbed: float) -> ColumnElement[bool]:
    """Return the condition that a node signed off, or let a whole lease pass in which it could renew."""
    had_its_lease = node.c.expires_at <= db_shift(node.c.renewed_at, undisturbed)
    return or_(node.c.ended_at.is_not(None), and_(~is_alive(), had_its_lease))


def _silent(steady: float | None) -> ColumnElement[bool]:
    late = _x.deadline_at < in_seconds(-SILENCE_AFTER_DEADLINE.total_seconds())
    if steady is None:
        return late
    return and_(late, _x.deadline_at <= db_shift(_x.started_at, steady))


def _close(database: Engine, confidence: Confidence, condition: ColumnElement[bool], outcome: Outcome) -> int:
    failpoint("reaper.before_close")
    with reading(database) as connection:
        running = select(_x.id).where(is_one_of(_x.state, ExecutionState.RUNNING), condition).limit(BATCH)
        ids = connection.scalars(running).all()
        database_id = database_uuid(connection)
    closed = 0
    for id_ in ids:
        with deciding(database, confidence.timekeeper) as connection:
            # The list may be old by now, and its worker back.
            if connection.scalar(running.where(_x.id == id_)) is not None:
                closed += close_execution(connection, database_id, id_, outcome) is not None
        failpoint("reaper.after_close")
    return closed


def _expire(database: Engine, confidence: Confidence) -> int:
    failpoint("reaper.before_expire")
    with deciding(database, confidence.timekeeper) as connection:
        live = is_one_of(_e.state, *LIVE_STATES)
        rows = _locked(connection, live & has_expired(database_time(connection)))
        expire(connection, [row.id for row in rows])
        failpoint("reaper.after_expire")
        if confidence.undisturbed is None or confidence.undisturbed >= UNREGISTERED_AFTER:
            purge(connection)
        return len(rows)


def _publish_again(database: Engine, keeper: Timekeeper, unclaimed_after: timedelta) -> int:
    failpoint("reaper.before_unclaimed")
    with deciding(database, keeper) as connection:
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
        failpoint("reaper.after_unclaimed")
        return len(again)


def _dispatch_stranded(
    database: Engine, keeper: Timekeeper, dead: ColumnElement[bool], after: timedelta
) -> int:
    """Dispatch anew the fires whose Celery task waits to retry itself, in a worker that is dead.

    Most brokers deliver that message again at once; on Redis it lies with the dead for a day.
    """
    failpoint("reaper.before_stranded")
    with deciding(database, keeper) as connection:
        found = select(_e.id, _e.task_config_id, _e.dedupe_key, _e.dispatch_no, _e.lost_count)
        stranded = found.where(_stranded(dead, after)).order_by(_e.id).limit(BATCH)
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
            failpoint("reaper.after_stranded")
        return len(fires)


def _stranded(dead: ColumnElement[bool], after: timedelta) -> ColumnElement[bool]:
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
        dead,
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
