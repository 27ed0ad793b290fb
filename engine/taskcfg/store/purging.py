"""Deleting old history, a little at a time, while firing goes on."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Row, Select, delete, func, select, text

from taskcfg.failpoints import failpoint
from taskcfg.spec.fires import LIVE_STATES
from taskcfg.spec.retention import ENDED, FAILED, UNSUCCESSFUL, Ended, Retention
from taskcfg.store.bulk import among
from taskcfg.store.columns import is_one_of
from taskcfg.store.database import Engine, database_time, reading, writing
from taskcfg.store.horizon import note_purge
from taskcfg.store.postgres import Limits
from taskcfg.store.tables import schedule_event, task_execution

BATCH = 1_000

MOST_COUNTED = 1_000_000
"""Fires that are counted one by one where the database has not looked at the table yet."""

WINDOW = 2_000
"""How many fires are looked at in one statement: by the primary key, so that it costs the same however
long the history is, and whatever of it stays."""

PURGING = Limits(statement=10, lock=1, idle=5)

_BY_INDEX = text(
    "SELECT set_config('enable_seqscan', 'off', true), set_config('enable_hashjoin', 'off', true),"
    " set_config('enable_mergejoin', 'off', true)"
)

_e = schedule_event.c
_x = task_execution.c
_FIRST = UUID(int=0)


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

    def retention(self) -> Retention:
        states = {*ENDED} if self.states is None else {*self.states}
        if "done" in states:
            states.add(FAILED)
        return Retention(dict.fromkeys(states, self.age or timedelta(0)), self.keep or 0)


@dataclass(frozen=True, slots=True)
class Purged:
    """How many rows went."""

    events: int = 0
    executions: int = 0

    def __add__(self, other: Purged) -> Purged:
        return Purged(self.events + other.events, self.executions + other.executions)


class Sweep:
    """One walk over the history, from its oldest end to where it is too young to go.

    What is old is decided by the database's clock as it was at the beginning, or is now if it was
    set back since. Ids sort by the time at which a fire was recorded: the walk goes by them, and
    never looks at the same row twice.
    """

    def __init__(
        self, database: Engine, retention: Retention, task_ids: Collection[int] | None = None
    ) -> None:
        self._database = database
        self._retention = retention
        self._task_ids = None if task_ids is None else frozenset(task_ids)
        self._after = _FIRST
        self._found: list[UUID] = []
        self._newest_kept: dict[int, tuple[datetime, UUID] | None] = {}
        self._now: datetime | None = None
        self._noted = False
        self.ended = not retention.ages

    def look(self) -> list[UUID]:
        """Return the fires that may go of the next few; `ended` when there are no more. Locks nothing."""
        with reading(self._database) as connection:
            now = self._now = min(self._now or datetime.max.replace(tzinfo=UTC), database_time(connection))
            rows = _window(connection, self._after)
            young = now - self._retention.least_age
            self.ended = len(rows) < WINDOW or all(row.created_at > young for row in rows)
            if rows:
                self._after = rows[-1].id
            candidates = [row for row in rows if self._is_wanted(row)]
            failed = self._failed(connection, candidates)
            return [
                row.id
                for row in candidates
                if self._lets_go(row, now, failed=row.id in failed) and not self._is_kept(connection, row)
            ]

    def step(self, batch: int = BATCH) -> Purged:
        """Delete at most *batch* fires that may go, in one short transaction; or look for some.

        Done when `ended`, and nothing is left of what was found: see `over`.
        """
        if not self._found:
            self._found = self.look()
        some, self._found = self._found[:batch], self._found[batch:]
        if not some or self._now is None:
            return Purged()
        with writing(self._database, PURGING) as connection:
            young = self._now - self._retention.least_age
            purged = _deleted(connection, some, young)
            if purged.events and not self._noted:
                note_purge(connection, young, self._retention.keep)
        self._noted = self._noted or bool(purged.events)
        failpoint("purge.after_batch")
        return purged

    @property
    def over(self) -> bool:
        return self.ended and not self._found

    def _is_wanted(self, row: Row[Any]) -> bool:
        return row.state not in LIVE_STATES and (
            self._task_ids is None or row.task_config_id in self._task_ids
        )

    def _lets_go(self, row: Row[Any], now: datetime, *, failed: bool) -> bool:
        ended = Ended(row.state, row.done_at or row.created_at, failed)
        return self._retention.lets_go(ended.ended_as, now - ended.ended_at)

    def _failed(self, connection: Connection, rows: Sequence[Row[Any]]) -> set[UUID]:
        """Return those whose last attempt did not succeed, if that matters."""
        done = [row.id for row in rows if row.state == "done"]
        if not self._retention.tells_failures or not done:
            return set()
        _by_index(connection)
        attempts = (
            select(_x.schedule_event_id, _x.state)
            .where(among(connection, _x.schedule_event_id, done))
            .order_by(_x.attempt, _x.id)
        )
        last = {row.schedule_event_id: row.state for row in connection.execute(attempts)}
        return {id_ for id_, state in last.items() if state in UNSUCCESSFUL}

    def _is_kept(self, connection: Connection, row: Row[Any]) -> bool:
        """Say whether *row* is among the newest of its task. New ones make others older, never newer:
        the answer for a task may be as old as the walk."""
        keep, task_id = self._retention.keep, row.task_config_id
        if not keep:
            return False
        if task_id not in self._newest_kept:
            self._newest_kept[task_id] = _first_to_go(connection, task_id, keep)
        last = self._newest_kept[task_id]
        return last is None or (row.created_at, row.id) > last


def count_old(database: Engine, old: Old) -> Purged:
    """Return how much `purge_old` would delete. Raises DatabaseUnavailable."""
    sweep, total = Sweep(database, old.retention(), old.task_ids), Purged()
    while not sweep.ended:
        ids = sweep.look()
        if ids:
            with reading(database) as connection:
                of_these = among(connection, _x.schedule_event_id, ids)
                executions = connection.scalar(
                    select(func.count()).select_from(task_execution).where(of_these)
                )
            total += Purged(len(ids), executions or 0)
    return total


def history_size(connection: Connection) -> int:
    """Return about how many fires are recorded: what the database knows without counting them."""
    if connection.dialect.name == "postgresql":
        # A table that was never vacuumed nor analysed says -1, and one of PostgreSQL 13 says 0.
        size = text("SELECT reltuples FROM pg_class WHERE oid = CAST('schedule_event' AS regclass)")
        known = int(connection.scalar(size) or 0)
        return known if known > 0 else _counted(connection)
    ends = [
        connection.scalar(text(f"SELECT rowid FROM schedule_event ORDER BY rowid {order} LIMIT 1")) or 0
        for order in ("DESC", "ASC")
    ]
    return int(ends[0] - ends[1] + bool(ends[0]))


def _counted(connection: Connection) -> int:
    """Count fires one by one, up to a number that is more than anybody leaves unanalysed."""
    some = select(_e.id).limit(MOST_COUNTED).subquery()
    return connection.scalar(select(func.count()).select_from(some)) or 0


def purge_old(database: Engine, old: Old, batch: int = BATCH) -> Iterator[Purged]:
    """Delete old fires with their executions, at most *batch* fires in each transaction.

    Yields what each transaction deleted; what was yielded stays deleted. Which fires are old is
    decided by the time at the start. Raises DatabaseUnavailable.
    """
    sweep = Sweep(database, old.retention(), old.task_ids)
    while not sweep.over:
        purged = sweep.step(batch)
        if purged.events:
            yield purged


def _window(connection: Connection, after: UUID) -> Sequence[Row[Any]]:
    columns = (_e.id, _e.task_config_id, _e.state, _e.created_at, _e.done_at)
    query: Select[Any] = select(*columns).where(_e.id > after).order_by(_e.id).limit(WINDOW)
    return connection.execute(query).all()


def _first_to_go(connection: Connection, task_id: int, keep: int) -> tuple[datetime, UUID] | None:
    """Return time and id of the newest fire of a task that is not among the *keep* newest."""
    newest = select(_e.created_at, _e.id).where(_e.task_config_id == task_id)
    order = newest.order_by(_e.created_at.desc(), _e.id.desc())
    row = connection.execute(order.offset(keep).limit(1)).one_or_none()
    return None if row is None else (row.created_at, row.id)


def _by_index(connection: Connection) -> None:
    """Have rows found by their keys, one by one: where statistics are missing, as after a restore or a
    great import, PostgreSQL would rather read all of `task_execution` for every batch."""
    if connection.dialect.name == "postgresql":
        connection.execute(_BY_INDEX)


def _deleted(connection: Connection, ids: Sequence[UUID], ended_before: datetime) -> Purged:
    """Delete those of *ids* that are still as they were; who is at one of them now, keeps it."""
    _by_index(connection)
    still = ~is_one_of(_e.state, *LIVE_STATES) & (func.coalesce(_e.done_at, _e.created_at) <= ended_before)
    found = select(_e.id).where(among(connection, _e.id, ids), still).order_by(_e.id)
    locked = connection.scalars(found.with_for_update(skip_locked=True)).all()
    if not locked:
        return Purged()
    of_these = among(connection, _x.schedule_event_id, locked)
    executions = connection.execute(delete(task_execution).where(of_these)).rowcount
    failpoint("purge.after_executions")
    events = connection.execute(delete(schedule_event).where(among(connection, _e.id, locked))).rowcount
    return Purged(events, executions)
