"""Deleting old history, a little at a time, while firing goes on."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Connection, delete, func, literal, select, tuple_

from taskcfg.spec.fires import LIVE_STATES
from taskcfg.store.bulk import among
from taskcfg.store.columns import is_one_of
from taskcfg.store.database import Engine, database_time, reading, writing
from taskcfg.store.tables import schedule_event, task_config, task_execution

BATCH = 1_000

_e = schedule_event.c


@dataclass(frozen=True, slots=True)
class Old:
    """Which fires are to go: those that ended before *age* ago, but for the newest *keep* of each task.

    `task_ids` None means of all tasks, `states` None in any of the states that end a fire. A fire
    that is live is never old.
    """

    age: timedelta | None = None
    keep: int | None = None
    task_ids: Collection[int] | None = None
    states: Collection[str] | None = None


@dataclass(frozen=True, slots=True)
class Purged:
    """How many rows went."""

    events: int = 0
    executions: int = 0

    def __add__(self, other: Purged) -> Purged:
        return Purged(self.events + other.events, self.executions + other.executions)


def count_old(database: Engine, old: Old) -> Purged:
    """Return how much `purge_old` would delete. Raises DatabaseUnavailable."""
    total = Purged()
    with reading(database) as connection:
        for condition in _conditions(connection, old):
            events = select(_e.id).where(condition)
            of_events = task_execution.c.schedule_event_id.in_(events)
            total += Purged(
                connection.scalar(select(func.count()).select_from(events.subquery())) or 0,
                connection.scalar(select(func.count()).select_from(task_execution).where(of_events)) or 0,
            )
    return total


def purge_old(database: Engine, old: Old, batch: int = BATCH) -> Iterator[Purged]:
    """Delete old fires with their executions, at most *batch* fires in each transaction.

    Yields what each transaction deleted; what was yielded stays deleted. Which fires are old is
    decided once, at the start. Raises DatabaseUnavailable.
    """
    with reading(database) as connection:
        conditions = list(_conditions(connection, old))
    for condition in conditions:
        while True:
            with writing(database) as connection:
                ids = _some(connection, condition, batch)
                deleted = _deleted(connection, ids)
            if ids:
                yield deleted
            if len(ids) < batch:
                break


def _conditions(connection: Connection, old: Old) -> Iterator[ColumnElement[bool]]:
    """Yield the conditions that old fires fulfil: one for all tasks, or one for each where some are kept."""
    ended = ~is_one_of(_e.state, *LIVE_STATES)
    if old.states is not None:
        ended &= _e.state.in_(list(old.states))
    if old.age is not None:
        before = database_time(connection) - old.age
        # The first comparison is the one that rules out most; a fire may end long after it is recorded.
        ended &= (_e.created_at < before) & (func.coalesce(_e.done_at, _e.created_at) < before)
    if old.keep is None:
        yield ended if old.task_ids is None else ended & among(connection, _e.task_config_id, old.task_ids)
        return
    for task_id in _task_ids(connection, old.task_ids):
        last = _first_to_go(connection, task_id, old.keep)
        if last is not None:
            position = tuple_(_e.created_at, _e.id) <= tuple_(*last)
            yield (_e.task_config_id == task_id) & position & ended


def _task_ids(connection: Connection, wanted: Collection[int] | None) -> Sequence[int]:
    query = select(task_config.c.id).order_by(task_config.c.id)
    if wanted is not None:
        query = query.where(among(connection, task_config.c.id, wanted))
    return connection.scalars(query).all()


def _first_to_go(connection: Connection, task_id: int, keep: int) -> tuple[Any, Any] | None:
    """Return time and id of the newest fire of a task that is not among the *keep* newest."""
    newest = select(_e.created_at, _e.id).where(_e.task_config_id == task_id)
    order = newest.order_by(_e.created_at.desc(), _e.id.desc())
    row = connection.execute(order.offset(keep).limit(1)).one_or_none()
    return None if row is None else (_bound(_e.created_at, row.created_at), _bound(_e.id, row.id))


def _bound(column: ColumnElement[Any], value: datetime | UUID) -> ColumnElement[Any]:
    return literal(value, type_=column.type)


def _some(connection: Connection, condition: ColumnElement[bool], batch: int) -> Sequence[UUID]:
    found = select(_e.id).where(condition).limit(batch)
    return connection.scalars(found.with_for_update(skip_locked=True)).all()


def _deleted(connection: Connection, ids: Sequence[UUID]) -> Purged:
    if not ids:
        return Purged()
    of_these = among(connection, task_execution.c.schedule_event_id, ids)
    executions = connection.execute(delete(task_execution).where(of_these)).rowcount
    events = connection.execute(delete(schedule_event).where(among(connection, _e.id, ids))).rowcount
    return Purged(events, executions)
