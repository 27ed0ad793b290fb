"""Claiming what is due: row locks, and the values a decision is made from."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import (
    Column,
    ColumnElement,
    Connection,
    Integer,
    Row,
    Select,
    and_,
    bindparam,
    exists,
    func,
    or_,
    select,
)

from taskcfg.spec.due import MISSED_AFTER
from taskcfg.spec.fires import DueTask
from taskcfg.spec.overlap import Live
from taskcfg.store.bulk import among
from taskcfg.store.calendars import with_calendars
from taskcfg.store.columns import Instant, db_now
from taskcfg.store.live_fires import counts, live_fires
from taskcfg.store.spec_columns import SPEC_SELECTION, UNREADABLE, spec_of
from taskcfg.store.tables import task_config, task_pause

_c = task_config.c
_HEALING_SHARE = 10
"""One in so many of a pass's rows may be one that was in error, before any other is taken."""

_SELECTION = (
    *SPEC_SELECTION,
    _c.applied_version,
    _c.next_nominal_at,
    _c.next_fire_at,
    _c.last_nominal_at,
    _c.retired_at,
    _c.error_reason,
    _c.error_count,
    exists().where(task_pause.c.task_config_id == _c.id).label("paused"),
)


def _claiming(instant: Column[Any]) -> Select[Any]:
    """Return the query that locks at most :most rows whose *instant* is not after :now."""
    due = select(*_SELECTION).where(instant <= bindparam("now", type_=Instant())).order_by(instant)
    most = due.limit(bindparam("most", type_=Integer))
    return most.with_for_update(of=task_config, key_share=True, skip_locked=True)


# Made once: a pass in which one task is due takes longer to build its queries than to run them.
_HEALING = _claiming(_c.error_retry_at)
_DUE = _claiming(_c.next_fire_at)
_ON_TIME = _DUE.where(_c.next_fire_at > bindparam("late", type_=Instant()))


@dataclass(frozen=True, slots=True)
class Failure:
    """A row to be quarantined, and how often it was already."""

    id: int
    reason: str
    count: int


@dataclass(frozen=True, slots=True)
class Claimed:
    """Locked rows. `failing` gives, of those in error before, how often they failed; `stopped`
    are rows that must not fire and were due all the same, as after a change by hand."""

    due: Sequence[DueTask]
    failing: dict[int, int]
    unreadable: Sequence[Failure]
    stopped: Sequence[int]

    def __bool__(self) -> bool:
        return bool(self.due or self.unreadable or self.stopped)


def anything_due(connection: Connection, now: datetime) -> bool:
    """Say whether a pass would find something, without locking anything."""
    return bool(connection.scalar(select(exists().where(_is_due(now)))))


def claim_due(connection: Connection, now: datetime, limit: int) -> Claimed:
    """Lock at most *limit* due rows that no other pass holds, and those in error whose time has come.

    Where all of them are late, as many that are on time besides: making up for an outage, which can
    take many passes, holds up nobody else.
    """
    rows = list(connection.execute(_HEALING, {"now": now, "most": max(limit // _HEALING_SHARE, 1)}))
    rows += connection.execute(_DUE, {"now": now, "most": limit - len(rows)})
    late = now - MISSED_AFTER
    if len(rows) >= limit and rows[-1].next_fire_at is not None and rows[-1].next_fire_at <= late:
        taken = {row.id for row in rows}
        on_time = connection.execute(_ON_TIME, {"now": now, "late": late, "most": limit})
        rows += [row for row in on_time if row.id not in taken]
    return _claimed(connection, rows, now)


def claim_these(connection: Connection, now: datetime, ids: Collection[int]) -> Claimed:
    """Lock all the rows *ids*, waiting for those another pass holds, and return what of them is due."""
    lock(connection, ids)
    due = select(*_SELECTION).where(among(connection, _c.id, ids), _is_due(now))
    return _claimed(connection, list(connection.execute(due)), now)


def claim_to_edit(connection: Connection, now: datetime, ids: Collection[int]) -> Claimed:
    """Lock all the rows *ids*, as `claim_these`; return those of which a nominal time has come, be its
    fire time yet to come."""
    lock(connection, ids)
    passed = and_(_c.next_fire_at.is_not(None), _c.next_nominal_at <= now)
    due = select(*_SELECTION).where(among(connection, _c.id, ids), or_(_is_due(now), passed))
    return _claimed(connection, list(connection.execute(due)), now)


def claim_paused(connection: Connection, now: datetime, ids: Collection[int]) -> Claimed:
    """Lock the paused ones of the rows *ids* and return those that would fire if they were not.

    They stay locked; those that must not fire for another reason are `stopped`.
    """
    lock(connection, ids)
    paused = exists().where(task_pause.c.task_config_id == _c.id)
    rows = connection.execute(select(*_SELECTION).where(among(connection, _c.id, ids), paused)).all()
    return _claimed(connection, rows, now, paused_too=True)


def lock(connection: Connection, ids: Collection[int]) -> None:
    """Lock the rows *ids*, waiting for those another transaction holds."""
    locking = select(_c.id).where(among(connection, _c.id, ids)).order_by(_c.id)
    connection.execute(locking.with_for_update(key_share=True)).all()


def seconds_until_due(connection: Connection) -> float | None:
    """Return how long until the next row is due or to be tried again, None when none ever is."""
    fires, retries, now = connection.execute(
        select(
            select(func.min(_c.next_fire_at)).scalar_subquery(),
            select(func.min(_c.error_retry_at)).scalar_subquery(),
            db_now(),
        )
    ).one()
    coming = [instant for instant in (fires, retries) if instant is not None]
    return max((min(coming) - now).total_seconds(), 0.0) if coming else None


def _is_due(now: datetime) -> ColumnElement[bool]:
    return or_(_c.next_fire_at <= now, _c.error_retry_at <= now)


def _claimed(
    connection: Connection, rows: Sequence[Row[Any]], now: datetime, *, paused_too: bool = False
) -> Claimed:
    due, unreadable, stopped, failing = [], [], [], {}
    for row in with_calendars(connection, rows):
        if row.retired_at is not None or not row.enabled or (row.paused and not paused_too):
            stopped.append(row.id)
            continue
        if row.error_reason is not None:
            failing[row.id] = row.error_count
        try:
            due.append(_due_task(row, now))
        except UNREADABLE as error:
            reason = f"the row cannot be read: {type(error).__name__}: {error}"
            unreadable.append(Failure(row.id, reason, row.error_count))
    return Claimed(_with_live(connection, due), failing, unreadable, stopped)


def _due_task(row: Row[Any], now: datetime) -> DueTask:
    return DueTask(
        id=row.id,
        spec=spec_of(row),
        version=row.version,
        next_nominal_at=row.next_nominal_at or now,
        promised=row.next_nominal_at is not None and row.version == row.applied_version,
        last_nominal_at=row.last_nominal_at,
        live=Live(),
    )


def _with_live(connection: Connection, due: Sequence[DueTask]) -> list[DueTask]:
    """Count the live fires of the tasks whose overlap asks for it."""
    live = live_fires(connection, [task.id for task in due if counts(task.spec.policy.overlap)])
    return [replace(task, live=live[task.id]) if task.id in live else task for task in due]
