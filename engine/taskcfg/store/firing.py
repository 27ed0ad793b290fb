"""The first step of a fire: due rows are claimed, their fires recorded, and the rows advanced."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from contextlib import ExitStack, suppress
from datetime import datetime
from itertools import islice
from uuid import UUID

from sqlalchemy import Connection, Engine

from taskcfg.errors import DatabaseUnavailable
from taskcfg.failpoints import failpoint
from taskcfg.spec.advance import advance, advance_to_edit
from taskcfg.spec.fires import Advance, DueTask, Outgoing
from taskcfg.store import claims, recording
from taskcfg.store.claims import Claimed
from taskcfg.store.database import database_time, reading, writing
from taskcfg.store.postgres import FIRING
from taskcfg.store.settings_table import database_uuid
from taskcfg.store.trust import UNWATCHED, Timekeeper

HELD_ELSEWHERE = 0.02
"""Seconds until a row that another pass holds is looked at again."""

_BATCH = 500


class EventFiring:
    """Claims what is due, by the database's clock, for one node among many."""

    def __init__(self, database: Engine, node_id: UUID, timekeeper: Timekeeper = UNWATCHED) -> None:
        self._database = database
        self._node_id = node_id
        self._timekeeper = timekeeper
        self._database_id: UUID | None = None
        self._found_nothing = False
        self._untimely = False

    def begin_pass(self, limit: int) -> EventPass:
        """Claim at most *limit* due rows that no other pass holds. Raises DatabaseUnavailable.

        Where nothing is due, no transaction stays open. A row that cannot be read is quarantined
        here and is no part of the pass. Nothing is due while the database's clock is not to be trusted.
        """
        since = self._timekeeper.moment()
        if self._database.dialect.name == "sqlite":
            with reading(self._database) as connection:
                now = database_time(connection)
                self._untimely = not self._timekeeper.trusts(now, since)
                if self._untimely or not claims.anything_due(connection, now):
                    return EventPass(now, ())
            since = self._timekeeper.moment()
        with ExitStack() as stack:
            connection = stack.enter_context(writing(self._database, FIRING))
            now = database_time(connection)
            self._untimely = not self._timekeeper.trusts(now, since)
            if self._untimely:
                return EventPass(now, ())
            claimed = claims.claim_due(connection, now, limit)
            self._found_nothing = not claimed
            if not claimed:
                return EventPass(now, ())
            by = recording.Pass(self._identity(connection), self._node_id, now, claimed.failing)
            set_aside(connection, claimed)
            failpoint("firing.after_claim")
            if not claimed.due:
                return EventPass(now, ())
            return EventPass(now, claimed.due, connection, by, stack.pop_all())

    def seconds_until_due(self) -> float | None:
        """Return how long until the next row is due (0 when one is), None when nothing is scheduled.

        What is due while a pass finds nothing is held by another node's pass: it is worth another
        look only in a moment.
        """
        if self._untimely:
            return None
        with reading(self._database) as connection:
            seconds = claims.seconds_until_due(connection)
        return HELD_ELSEWHERE if seconds == 0 and self._found_nothing else seconds

    def _identity(self, connection: Connection) -> UUID:
        if self._database_id is None:
            self._database_id = database_uuid(connection)
        return self._database_id


class EventPass:
    """One open transaction that holds the row locks of what it claimed; none where nothing is due."""

    def __init__(
        self,
        now: datetime,
        due: Sequence[DueTask],
        connection: Connection | None = None,
        by: recording.Pass | None = None,
        transaction: ExitStack | None = None,
    ) -> None:
        self.now = now
        self.due = due
        self._connection = connection
        self._by = by
        self._transaction = transaction or ExitStack()

    def commit(self, advances: Sequence[Advance]) -> list[Outgoing]:
        """Record every fire, advance every row, commit, and return the fires to publish.

        All of it or none of it; but a row that the database refuses is quarantined alone. Raises
        DatabaseUnavailable; the fires may be recorded then, and the outbox will find them.
        """
        with self._transaction:
            if self._connection is None or self._by is None:
                return []
            fires = recording.record(self._connection, self._by, advances)
            failpoint("firing.before_commit")
        failpoint("firing.after_commit")
        return fires

    def abandon(self) -> None:
        """Roll back, if it is not over already. Everything is due again for whoever comes next."""
        # A database that is away has rolled back by itself.
        with suppress(_Abandoned, DatabaseUnavailable), self._transaction:
            raise _Abandoned


class _Abandoned(Exception):
    pass


def materialise_due(connection: Connection, ids: Collection[int]) -> int:
    """Record what is due of the tasks *ids* under the specs they have, in the caller's transaction.

    For an apply, before it changes them: the rows stay locked until it commits. Nobody owns these
    fires, so any relay takes them. Returns how many advances were recorded.
    """
    return _materialise(connection, ids, claims.claim_these, advance)


def materialise_to_edit(connection: Connection, ids: Collection[int]) -> int:
    """Record what belongs to the schedules that the tasks *ids* have, before they get others.

    As `materialise_due`; and what jitter holds back still, to go out at its fire time.
    """
    return _materialise(connection, ids, claims.claim_to_edit, advance_to_edit)


def _materialise(
    connection: Connection,
    ids: Collection[int],
    claim: Callable[[Connection, datetime, Collection[int]], Claimed],
    decide: Callable[[DueTask, datetime], Advance],
) -> int:
    now, recorded = database_time(connection), 0
    rest = iter(ids)
    while batch := list(islice(rest, _BATCH)):
        while claimed := claim(connection, now, batch):
            by = recording.Pass(database_uuid(connection), None, now, claimed.failing)
            set_aside(connection, claimed)
            recording.record(connection, by, [decide(task, now) for task in claimed.due])
            recorded += len(claimed.due)
    return recorded


def set_aside(connection: Connection, claimed: Claimed) -> None:
    """Take the rows that cannot be read, or must not fire, out of the firing order."""
    recording.quarantine(connection, claimed.unreadable)
    recording.stop(connection, claimed.stopped)
