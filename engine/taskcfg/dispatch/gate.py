"""The gate: around a task's body on the worker, so that an attempt is recorded, and runs once."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any
from uuid import UUID

from celery import Task
from celery.app.task import Context
from celery.exceptions import Ignore, Reject, SoftTimeLimitExceeded

from taskcfg.clock import Clock, SystemClock
from taskcfg.dispatch.message import DISPATCH_HEADER, EVENT_HEADER
from taskcfg.dispatch.outcome import describe, interrupted, outcome_of
from taskcfg.dispatch.protocol import Records
from taskcfg.errors import TaskcfgError
from taskcfg.failpoints import failpoint
from taskcfg.spec.fires import Dispatched, ExecutionState, Outcome, Refused, Started
from taskcfg.types.fire import Fire

logger = logging.getLogger("taskcfg.worker")

_fire: ContextVar[Fire | None] = ContextVar("taskcfg_fire", default=None)


def current_fire() -> Fire | None:
    """Return the fire whose body is running here, None outside of one."""
    return _fire.get()


def dispatched_of(request: Context, boot_id: UUID | None) -> Dispatched | None:
    """Return what the message behind *request* says of itself; None if it is none of ours."""
    event_id = request.get(EVENT_HEADER)
    if event_id is None:
        return None
    return Dispatched(
        event_id=UUID(event_id),
        dispatch_no=int(request.get(DISPATCH_HEADER)),
        celery_id=UUID(request.id),
        celery_retry=request.retries or 0,
        worker=request.hostname or "",
        boot_id=boot_id,
    )


class _Limits:
    """The limits of a message, and since when they count: a wait for the database is part of them."""

    def __init__(self, since: float, timelimit: Sequence[float | None] | None) -> None:
        self.since = since
        self.hard = timelimit[0] if timelimit else None


class Gate:
    """Asks the records for permission, runs the body, and records how it ended.

    *records* gives them for this process: a pool process makes connections of its own. *boot_id*
    names the worker's present life. Whatever happens in the body also happens for Celery.
    """

    def __init__(
        self,
        records: Callable[[], Records],
        boot_id: Callable[[], UUID | None],
        clock: Clock | None = None,
    ) -> None:
        self._records = records
        self._boot_id = boot_id
        self._clock = clock or SystemClock()

    def run(self, task: Task, body: Callable[[], Any]) -> Any:
        """Run *body* as the attempt that *task*'s present message asks for, if it may run.

        Raises Ignore, and the message is dropped, when the attempt is refused.
        """
        dispatched = dispatched_of(task.request, self._boot_id())
        if dispatched is None:
            return body()
        began = self._clock.monotonic()
        failpoint("gate.before_start")
        self._check_records(dispatched)
        started = self._start(dispatched)
        failpoint("gate.after_start")
        if isinstance(started, Refused):
            logger.warning(
                "execution.refused event=%s celery_id=%s reason=%r",
                dispatched.event_id, dispatched.celery_id, started.reason,
            )  # fmt: skip
            raise Ignore(started.reason)
        return self._attempt(dispatched, started, body, _Limits(began, task.request.timelimit))

    def _check_records(self, dispatched: Dispatched) -> None:
        """Raise Ignore where there are no records: the fire is published again when there are."""
        try:
            self._records()
        except TaskcfgError as error:
            logger.error(
                "execution.left event=%s reason=%r hint=%r", dispatched.event_id, error.message, error.hint
            )
            raise Ignore(error.message) from error

    def _start(self, dispatched: Dispatched) -> Started | Refused:
        """Ask for permission. Interrupted, nobody knows whether the attempt is recorded: then it is
        closed if it is, and otherwise the fire is free to be published again."""
        try:
            return self._records().start(dispatched)
        except BaseException as error:
            self._records().finish_dispatch(dispatched, interrupted(error))
            if isinstance(error, Exception):
                logger.exception("gate.failed event=%s", dispatched.event_id)
                raise Ignore(f"the gate failed: {error}") from error
            raise

    def _attempt(
        self, dispatched: Dispatched, started: Started, body: Callable[[], Any], limits: _Limits
    ) -> Any:
        began = self._clock.monotonic()
        try:
            with _running(_fire_of(started, dispatched)):
                result = body()
        except BaseException as error:
            now = self._clock.monotonic()
            outcome = outcome_of(error, seconds=now - limits.since, hard_limit=limits.hard)
            self._finish(started, outcome, now - began)
            if isinstance(error, Reject) and error.requeue:
                # The attempt is recorded as ended: the same message may not run again.
                raise Ignore(str(error)) from error
            if isinstance(error, MemoryError):
                # Celery's parent process ends itself when a task's MemoryError reaches it.
                raise RuntimeError(describe(error)) from error
            raise
        self._finish(started, Outcome(ExecutionState.SUCCEEDED, result), self._clock.monotonic() - began)
        return result

    def _finish(self, started: Started, outcome: Outcome, seconds: float) -> None:
        failpoint("gate.before_finish")
        try:
            self._records().finish(started.execution_id, outcome)
        except SoftTimeLimitExceeded:
            # The body is over, and a soft limit strikes only once.
            self._records().finish(started.execution_id, outcome)
        failpoint("gate.after_finish")
        level = logging.INFO if outcome.state in _FINE else logging.WARNING
        logger.log(
            level, "execution.%s task=%s attempt=%d duration=%.3fs%s",
            outcome.state, started.task, started.attempt, seconds,
            f" error={outcome.error!r}" if outcome.error else "",
        )  # fmt: skip


_FINE = (ExecutionState.SUCCEEDED, ExecutionState.RETRYING)


@contextmanager
def _running(fire: Fire) -> Iterator[None]:
    token = _fire.set(fire)
    try:
        yield
    finally:
        _fire.reset(token)


def _fire_of(started: Started, dispatched: Dispatched) -> Fire:
    return Fire(
        id=started.event_id,
        task=started.task,
        kind=started.kind.value,
        nominal_at=started.nominal_at,
        fire_at=started.fire_at,
        attempt=started.attempt,
        celery_id=dispatched.celery_id,
        labels=started.labels,
    )
