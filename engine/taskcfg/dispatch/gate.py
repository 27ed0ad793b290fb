"""The gate: around a task's body on the worker, so that an attempt is recorded, and runs once."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any
from uuid import UUID

from celery import Task
from celery.app.task import Context
from celery.exceptions import Ignore, Reject, SoftTimeLimitExceeded

from taskcfg.clock import Clock, SystemClock
from taskcfg.dispatch.elsewhere import named_database, put_back
from taskcfg.dispatch.exposure import Exposure, LookUp
from taskcfg.dispatch.hiding import hiding
from taskcfg.dispatch.message import DISPATCH_HEADER, EVENT_HEADER
from taskcfg.dispatch.outcome import describe, interrupted, kept, outcome_of
from taskcfg.dispatch.protocol import Records
from taskcfg.dispatch.secret_source import SecretSource
from taskcfg.errors import TaskcfgError
from taskcfg.failpoints import failpoint
from taskcfg.spec.fires import Dispatched, ExecutionState, Outcome, Refused, Started
from taskcfg.spec.limits import storable
from taskcfg.types.fire import Fire

logger = logging.getLogger("taskcfg.worker")

Body = Callable[..., Any]

LONGEST_LOGGED = 2_000
"""Characters of an error in a line of the log."""
PUT_BACK = "it is put back, for a worker of that database"
DROPPED = (
    "it is dropped, since no worker of that database took it, and published again later;"
    " give each database queues or a broker of its own"
)

_NONE: Mapping[str, Any] = {}
_fire: ContextVar[Fire | None] = ContextVar("taskcfg_fire", default=None)
_exposure: ContextVar[Exposure | None] = ContextVar("taskcfg_exposure", default=None)


def current_fire() -> Fire | None:
    """Return the fire whose body is running here, None outside of one."""
    return _fire.get()


def with_references(value: Any) -> Any:
    """Return *value* with the secrets that the body running here was given put back as references."""
    exposure = _exposure.get()
    return value if exposure is None else exposure.unresolved(value)


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
    names the worker's present life, *database* the records' database as soon as it is known.
    *look_up* finds secrets, anew for each attempt; without it, in the environment. Whatever happens
    in the body also happens for Celery, but for the secrets in it.
    """

    def __init__(
        self,
        records: Callable[[], Records],
        boot_id: Callable[[], UUID | None],
        clock: Clock | None = None,
        look_up: LookUp | None = None,
        database: Callable[[], UUID | None] = lambda: None,
    ) -> None:
        self._database = database
        self._records = records
        self._boot_id = boot_id
        self._look_up = look_up or SecretSource().look_up
        self._clock = clock or SystemClock()

    def run(self, task: Task, body: Body, args: Sequence[Any] = (), kwargs: Mapping[str, Any] = _NONE) -> Any:
        """Run *body* as the attempt that *task*'s present message asks for, if it may run.

        It is called with *args* and *kwargs*, their references to secrets resolved; Celery keeps the
        references. Raises Ignore, and the message is dropped, when the attempt is refused.
        """
        dispatched = dispatched_of(task.request, self._boot_id())
        if dispatched is None:
            return body(*args, **kwargs)
        began = self._clock.monotonic()
        failpoint("gate.before_start")
        self._check_records(dispatched)
        self._check_database(task, args, kwargs)
        started = self._start(dispatched)
        failpoint("gate.after_start")
        if isinstance(started, Refused):
            logger.warning(
                "execution.refused event=%s celery_id=%s reason=%r",
                dispatched.event_id, dispatched.celery_id, started.reason,
            )  # fmt: skip
            raise Ignore(started.reason)
        exposure = Exposure(self._look_up)

        def exposed() -> Any:
            given_args, given_kwargs = exposure.resolved((tuple(args), dict(kwargs)))
            with hiding(exposure.mask):
                failpoint("gate.before_body")
                return body(*given_args, **given_kwargs)

        with _running(_fire_of(started, dispatched), exposure):
            return self._attempt(started, exposed, exposure, _Limits(began, task.request.timelimit))

    def _check_records(self, dispatched: Dispatched) -> None:
        """Raise Ignore where there are no records: the fire is published again when there are."""
        try:
            self._records()
        except TaskcfgError as error:
            logger.error(
                "execution.left event=%s reason=%r hint=%r", dispatched.event_id, error.message, error.hint
            )
            raise Ignore(error.message) from error

    def _check_database(self, task: Task, args: Sequence[Any], kwargs: Mapping[str, Any]) -> None:
        """Raise Ignore for a fire of another database: its message is put back for the workers of that."""
        named = named_database(task.request)
        own = None if named is None else self._database()
        if own is None or named == own:
            return
        event = task.request.get(EVENT_HEADER)
        reason = f"it is recorded in database {named}, and this worker's is {own}"
        try:
            back = put_back(task, args, kwargs, self._clock)
        except Exception:
            logger.exception("execution.elsewhere event=%s reason=%r", event, reason)
        else:
            level, done = (logging.WARNING, PUT_BACK) if back else (logging.ERROR, DROPPED)
            logger.log(level, "execution.elsewhere event=%s reason=%r: %s", event, reason, done)
        raise Ignore(reason)

    def _start(self, dispatched: Dispatched) -> Started | Refused:
        """Ask for permission. Interrupted, nobody knows whether the attempt is recorded: then it is
        closed if it is, and otherwise the fire is free to be published again."""
        try:
            return self._records().start(dispatched)
        except BaseException as error:
            outcome = interrupted(error)
            _undisturbed(lambda: self._records().finish_dispatch(dispatched, outcome))
            if isinstance(error, Exception):
                logger.exception("gate.failed event=%s", dispatched.event_id)
                raise Ignore(f"the gate failed: {error}") from error
            raise

    def _attempt(self, started: Started, body: Body, exposure: Exposure, limits: _Limits) -> Any:
        began = self._clock.monotonic()
        try:
            result = body()
        except BaseException as raised:
            now = self._clock.monotonic()
            outcome = outcome_of(raised, seconds=now - limits.since, hard_limit=limits.hard)
            self._finish(started, exposure.masked_outcome(outcome), now - began)
            error = exposure.masked_error(raised)
            if isinstance(error, Reject) and error.requeue:
                # The attempt is recorded as ended: the same message may not run again.
                raise Ignore(str(error)) from (error if error is raised else None)
            if isinstance(raised, MemoryError):
                # Celery's parent process ends itself when a task's MemoryError reaches it.
                raise RuntimeError(exposure.mask.text(describe(raised))) from (
                    raised if error is raised else None
                )
            if error is not raised:
                raise error from None
            raise
        outcome = exposure.masked_outcome(Outcome(ExecutionState.SUCCEEDED, result))
        self._finish(started, outcome, self._clock.monotonic() - began)
        return outcome.result

    def _finish(self, started: Started, outcome: Outcome, seconds: float) -> None:
        failpoint("gate.before_finish")
        recorded = _undisturbed(lambda: self._records().finish(started.execution_id, kept(outcome)))
        failpoint("gate.after_finish")
        state = recorded or outcome.state
        level = logging.INFO if state in _FINE else logging.WARNING
        if state is ExecutionState.LOST and outcome.state is not state:
            logger.warning(
                "execution.late task=%s attempt=%d duration=%.3fs ended=%s: it had been given up for lost",
                started.task, started.attempt, seconds, outcome.state.value,
            )  # fmt: skip
            return
        line, facts = "execution.%s task=%s attempt=%d duration=%.3fs", [state.value, started.task]
        # whoever cancels interrupts the body as its timeout would, and that is what the body tells
        if outcome.error and state is not ExecutionState.CANCELLED:
            error = storable(outcome.error, longest=LONGEST_LOGGED)
            logger.log(level, f"{line} error=%r", *facts, started.attempt, seconds, error)
        else:
            logger.log(level, line, *facts, started.attempt, seconds)


def _undisturbed(record: Callable[[], ExecutionState | None]) -> ExecutionState | None:
    """Write down how an attempt ended, though a soft limit or somebody who cancels may strike meanwhile.

    The body is over, and to write the same again is harmless.
    """
    while True:
        try:
            return record()
        except SoftTimeLimitExceeded:
            continue


_FINE = (ExecutionState.SUCCEEDED, ExecutionState.RETRYING)


@contextmanager
def _running(fire: Fire, exposure: Exposure) -> Iterator[None]:
    tokens = _fire.set(fire), _exposure.set(exposure)
    try:
        yield
    finally:
        _fire.reset(tokens[0])
        _exposure.reset(tokens[1])


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
