"""Where the gate asks for permission, and writes down what happened."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any, TypeVar
from uuid import UUID

from sqlalchemy import ColumnElement, Connection, Engine, Update, and_, exists, func, select, update

from taskcfg.clock import Clock, SystemClock
from taskcfg.errors import DatabaseUnavailable
from taskcfg.failpoints import wanted_in
from taskcfg.spec.ending import AFTER_LOSS
from taskcfg.spec.fires import (
    Dispatched,
    EventState,
    ExecutionState,
    Outcome,
    Refused,
    Started,
)
from taskcfg.store.at_once import start_at_once, succeed_at_once
from taskcfg.store.closing import close_execution
from taskcfg.store.columns import db_now, in_seconds, is_one_of
from taskcfg.store.database import single_statement, writing
from taskcfg.store.given_up import note_late_end
from taskcfg.store.ids import new_id
from taskcfg.store.settings_table import database_uuid
from taskcfg.store.starting import recorded_start, start_execution
from taskcfg.store.tables import schedule_event, task_execution
from taskcfg.store.text import storable

logger = logging.getLogger("taskcfg.store")

FIRST_PAUSE = 0.1
LONGEST_PAUSE = 5.0
"""Seconds between two tries at a database that is away."""

_e = schedule_event.c
_x = task_execution.c
T = TypeVar("T")


class ExecutionRecords:
    """Starts and closes executions. Every call waits, with capped backoff, for a database that is down."""

    def __init__(self, database: Engine, clock: Clock | None = None) -> None:
        self._database = database
        self._clock = clock or SystemClock()
        self._database_id: UUID | None = None
        self._at_once = database.dialect.name == "postgresql"

    def start(self, dispatched: Dispatched) -> Started | Refused:
        """Insert the running execution, and say that the body may run, once.

        Refuses a second start, an older dispatch, and a fire that is expired, cancelled, finished
        or whose task is deleted. Never takes over.
        """
        execution_id = new_id()
        tried = False

        def step() -> Started | Refused:
            nonlocal tried
            again, tried = tried, True
            if self._at_once and not again and not wanted_in("starting"):
                with single_statement(self._database) as connection:
                    started = start_at_once(connection, dispatched, execution_id)
                if started is not None:
                    return started
            with writing(self._database) as connection:
                # The answer to a commit can get lost: then the row is there, under our own id.
                recorded = recorded_start(connection, execution_id) if again else None
                return recorded or start_execution(connection, dispatched, execution_id)

        return self._patiently(step)

    def finish(self, execution_id: UUID, outcome: Outcome) -> ExecutionState | None:
        """Close the execution and, in the same transaction, its fire: `done`, or `pending` under
        the next dispatch where attempts (or, for `lost`, redispatches) are left.

        Returns the state that stands there: another one where somebody had closed it before, and None
        where it is gone.
        """

        def step() -> ExecutionState | None:
            if self._at_once and outcome.state is ExecutionState.SUCCEEDED and not wanted_in("closing"):
                with single_statement(self._database) as connection:
                    if succeed_at_once(connection, execution_id, outcome):
                        return ExecutionState.SUCCEEDED
            with writing(self._database) as connection:
                closed = close_execution(connection, self._identity(connection), execution_id, outcome)
                return closed or note_late_end(connection, execution_id, outcome)

        return self._patiently(step)

    def finish_dispatch(self, dispatched: Dispatched, outcome: Outcome) -> ExecutionState | None:
        """The same, for the parent process, which knows a killed child only by its message.

        Does nothing when the attempt is not running any more. A message that was taken from its
        queue, but died before its attempt was recorded, is published again.
        """

        def step() -> ExecutionState | None:
            with writing(self._database) as connection:
                execution_id = connection.scalar(select(_x.id).where(_same_attempt(dispatched)))
                if execution_id is not None:
                    return close_execution(connection, self._identity(connection), execution_id, outcome)
                if outcome.state in _TAKEN_AWAY:
                    _put_back(connection, dispatched)
                return None

        return self._patiently(step)

    def explain(self, dispatched: Dispatched, reason: str) -> None:
        """Write down why a worker dropped the message: the fire stays published, until somebody
        starts it or it is published again. Does nothing when it was started, or is not there."""

        def step() -> None:
            with writing(self._database) as connection:
                connection.execute(_not_started(dispatched).values(_dropped(reason)))

        self._patiently(step)

    def _identity(self, connection: Connection) -> UUID:
        if self._database_id is None:
            self._database_id = database_uuid(connection)
        return self._database_id

    def _patiently(self, step: Callable[[], T]) -> T:
        pause, waiting = FIRST_PAUSE, False
        while True:
            try:
                result = step()
            except DatabaseUnavailable as error:
                if not waiting:
                    logger.warning("database.unavailable reason=%r: the worker waits for it", error.message)
                waiting = True
                self._clock.sleep(pause)
                pause = min(pause * 2, LONGEST_PAUSE)
            else:
                if waiting:
                    logger.warning("database.recovered")
                return result


_TAKEN_AWAY = (ExecutionState.LOST, ExecutionState.TIMED_OUT)


def _put_back(connection: Connection, dispatched: Dispatched) -> None:
    connection.execute(
        update(schedule_event)
        .where(
            _e.id == dispatched.event_id,
            _e.dispatch_no == dispatched.dispatch_no,
            _e.state == EventState.PUBLISHED.value,
        )
        .values(
            state=EventState.PENDING.value,
            node_id=None,
            epoch=_e.epoch + 1,
            next_attempt_at=in_seconds(AFTER_LOSS.total_seconds()),
        )
    )


def _not_started(dispatched: Dispatched) -> Update:
    return update(schedule_event).where(
        _e.id == dispatched.event_id,
        _e.dispatch_no == dispatched.dispatch_no,
        is_one_of(_e.state, EventState.PENDING, EventState.PUBLISHED),
        ~exists().where(_same_attempt(dispatched)),
    )


def _dropped(reason: str) -> dict[str, Any]:
    # A worker can be faster than the relay's own note of having published.
    published_at = func.coalesce(_e.published_at, db_now())
    return {
        "state": EventState.PUBLISHED.value,
        "published_at": published_at,
        "reason": storable(reason, longest=1_000),
    }


def _same_attempt(dispatched: Dispatched) -> ColumnElement[bool]:
    return and_(
        _x.schedule_event_id == dispatched.event_id,
        _x.dispatch_no == dispatched.dispatch_no,
        _x.celery_retry == dispatched.celery_retry,
    )
