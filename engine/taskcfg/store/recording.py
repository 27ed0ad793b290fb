"""Writing down what a pass decided: events, and the rows as they advance."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, update
from sqlalchemy.exc import SQLAlchemyError

from taskcfg.failpoints import failpoint
from taskcfg.spec.due import DueFire, MissedSpan
from taskcfg.spec.fires import (
    LIVE_STATES,
    Advance,
    DueTask,
    EventKind,
    EventState,
    Outgoing,
    celery_id,
    message_of,
    missed_key,
    scheduled_key,
)
from taskcfg.spec.policy import Overlap
from taskcfg.store.bulk import among, insert_new_rows, update_rows
from taskcfg.store.claims import Failure
from taskcfg.store.columns import in_seconds
from taskcfg.store.hints import notify
from taskcfg.store.ids import new_id
from taskcfg.store.tables import schedule_event, task_config
from taskcfg.store.text import storable
from taskcfg.store.turns import replacing, take_turns_of
from taskcfg.store.unavailable import broken

FIRST_RETRY = timedelta(minutes=1)
LAST_RETRY = timedelta(hours=1)
"""How long until a row in error is tried again: doubled with each failure, up to this."""

_c = task_config.c
_REFUSED = (SQLAlchemyError, ValueError, TypeError, ArithmeticError, KeyError, AttributeError)


@dataclass(frozen=True, slots=True)
class Pass:
    """Who records, when, and for which database. `failing` are the rows that were in error before."""

    database_id: UUID
    node_id: UUID | None
    now: datetime
    failing: Mapping[int, int]


@dataclass(slots=True)
class _Batch:
    """What one or many advances write: rows of a kind have the same columns."""

    fires: list[dict[str, Any]] = field(default_factory=list)
    waiting: list[dict[str, Any]] = field(default_factory=list)
    skipped: list[dict[str, Any]] = field(default_factory=list)
    missed: list[dict[str, Any]] = field(default_factory=list)
    outgoing: list[Outgoing] = field(default_factory=list)
    advanced: list[dict[str, Any]] = field(default_factory=list)
    resumed: list[dict[str, Any]] = field(default_factory=list)
    healed: list[int] = field(default_factory=list)
    overlaps: dict[int, Overlap] = field(default_factory=dict)


def record(connection: Connection, by: Pass, advances: Sequence[Advance]) -> list[Outgoing]:
    """Write *advances* and return the fires that were really recorded, to be published.

    A row that the database refuses is quarantined, and the others are written.
    """
    whole, good = _Batch(), []
    for each in advances:
        if each.error is not None:
            quarantine(connection, [_failure(by, each, each.error)])
            continue
        try:
            _add(whole, by, each)
            good.append(each)
        except _REFUSED as error:
            quarantine(connection, [_failure(by, each, _reason(error))])
    try:
        return _written(connection, by, whole)
    except _REFUSED as error:
        if isinstance(error, SQLAlchemyError) and broken(error):
            raise
    return _one_by_one(connection, by, good)


def quarantine(connection: Connection, failures: Iterable[Failure]) -> None:
    """Take rows out of the firing order, with the reason, until they are tried again."""
    for failure in failures:
        delay = min(FIRST_RETRY * 2 ** min(failure.count, 10), LAST_RETRY)
        connection.execute(
            update(task_config)
            .where(_c.id == failure.id)
            .values(
                error_reason=storable(failure.reason, longest=1_000),
                error_count=failure.count + 1,
                error_retry_at=in_seconds(delay.total_seconds()),
                next_fire_at=None,
            )
        )


def stop(connection: Connection, ids: Sequence[int]) -> None:
    """Take rows that must not fire out of the firing order."""
    if ids:
        statement = update(task_config).where(among(connection, _c.id, ids))
        connection.execute(statement.values(next_fire_at=None, error_retry_at=None))


def _one_by_one(connection: Connection, by: Pass, advances: Sequence[Advance]) -> list[Outgoing]:
    fires = []
    for each in advances:
        try:
            one = _Batch()
            _add(one, by, each)
            fires += _written(connection, by, one)
        except _REFUSED as error:
            if isinstance(error, SQLAlchemyError) and broken(error):
                raise
            quarantine(connection, [_failure(by, each, _reason(error))])
    return fires


def _written(connection: Connection, by: Pass, batch: _Batch) -> list[Outgoing]:
    with connection.begin_nested():
        failpoint("recording.before_events")
        there = _insert_events(connection, by, EventState.PENDING, batch.fires)
        _insert_events(connection, by, EventState.WAITING, batch.waiting)
        _insert_events(connection, by, EventState.SKIPPED, batch.skipped)
        _insert_events(connection, by, EventState.MISSED, batch.missed)
        failpoint("recording.after_events")
        update_rows(connection, task_config, batch.advanced)
        update_rows(connection, task_config, batch.resumed)
        if batch.healed:
            statement = update(task_config).where(among(connection, _c.id, batch.healed))
            connection.execute(statement.values(error_reason=None, error_count=0, error_retry_at=None))
        failpoint("recording.after_rows")
        take_turns_of(connection, replacing(batch.overlaps))
    if batch.waiting:
        notify(connection)  # what they wait for may have ended since it was counted
    return [fire for fire in batch.outgoing if fire.event_id not in there] if there else batch.outgoing


def _insert_events(
    connection: Connection, by: Pass, state: EventState, rows: Sequence[dict[str, Any]]
) -> set[UUID]:
    """Insert *rows*; return the ids of those whose fire is recorded already."""
    shared = {
        "kind": EventKind.SCHEDULED.value,
        "state": state.value,
        "node_id": by.node_id if state is EventState.PENDING else None,
        "created_at": by.now,
        "done_at": None if state in LIVE_STATES else by.now,
    }
    return insert_new_rows(connection, schedule_event, rows, shared=shared)


def _add(batch: _Batch, by: Pass, each: Advance) -> None:
    """Add what *each* writes to *batch*; what raises adds nothing."""
    task, decision = each.task, each.decision
    if decision is None:
        nominal, fire = each.resume_at or (None, None)
        batch.resumed.append({"id": task.id, "next_nominal_at": nominal, "next_fire_at": fire})
    else:
        if decision.fires:
            _add_fires(batch, by, task, decision.fires)
        if decision.missed is not None:
            batch.missed.append(_missed_event(by, task, decision.missed))
        batch.advanced.append(
            {
                "id": task.id,
                "next_nominal_at": decision.next_nominal_at,
                "next_fire_at": decision.next_fire_at,
                "last_nominal_at": decision.last_nominal_at,
            }
        )
    if task.id in by.failing:
        batch.healed.append(task.id)


def _add_fires(batch: _Batch, by: Pass, task: DueTask, fires: Sequence[DueFire]) -> None:
    message = message_of(task.spec)
    expires = task.spec.policy.expires
    for fire in fires:
        if task.last_nominal_at is not None and fire.nominal_at <= task.last_nominal_at:
            continue
        event = _event(by, task, scheduled_key(fire.nominal_at), fire.nominal_at, fire.fire_at)
        if fire.skipped is not None:
            event["reason"] = fire.skipped
            batch.skipped.append(event)
            continue
        event["message"] = message
        event["celery_id"] = id_ = celery_id(by.database_id, task.id, event["dedupe_key"], 1)
        event["expires_at"] = None if expires is None else fire.fire_at + expires
        if fire.waits is not None:
            event["reason"] = fire.waits
            batch.waiting.append(event)
            batch.overlaps[task.id] = task.spec.policy.overlap
            continue
        batch.fires.append(event)
        batch.outgoing.append(Outgoing(event["id"], id_, 0, 1, task.spec.name, message))


def _missed_event(by: Pass, task: DueTask, span: MissedSpan) -> dict[str, Any]:
    event = _event(by, task, missed_key(span.first), span.first, span.first)
    return event | {"reason": span.reason, "span_end": span.last, "span_count": span.count}


def _event(by: Pass, task: DueTask, key: str, nominal_at: datetime, fire_at: datetime) -> dict[str, Any]:
    return {
        "id": new_id(by.now),
        "task_config_id": task.id,
        "dedupe_key": key,
        "nominal_at": nominal_at,
        "fire_at": fire_at,
        "config_version": task.version,
    }


def _failure(by: Pass, each: Advance, reason: str) -> Failure:
    return Failure(each.task.id, reason, by.failing.get(each.task.id, 0))


def _reason(error: Exception) -> str:
    cause = getattr(error, "orig", None) or error
    return f"the fire cannot be recorded: {type(cause).__name__}: {cause}"
