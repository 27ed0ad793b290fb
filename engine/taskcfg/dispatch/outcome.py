"""What it means for an attempt that its body raised something."""

from __future__ import annotations

import threading
import traceback
from types import TracebackType

from billiard import current_process
from billiard.common import terminate_handler_fired
from celery.exceptions import Ignore, Reject, Retry, SoftTimeLimitExceeded, WorkerShutdown, WorkerTerminate

from taskcfg.spec.fires import ExecutionState, Outcome

FRAMEWORK = ("celery", "billiard", "taskcfg.celery", "taskcfg.dispatch", "taskcfg.types.declare")
"""Packages whose frames say nothing to someone who reads why a task failed."""


TOLERANCE = 1.0
"""Seconds by which the worker's clock for the hard limit may be ahead of ours: it starts it first."""


def outcome_of(error: BaseException, *, seconds: float, hard_limit: float | None) -> Outcome:
    """Return how the attempt ended whose body raised *error* after *seconds*.

    Celery's own `retry` ends this attempt as `retrying`: the message is on its way again. `Ignore`
    is how a body says that it is done. A process that is told to end loses the attempt, unless it
    is told so because the hard limit of *hard_limit* seconds is over.
    """
    match error:
        case Retry():
            return Outcome(ExecutionState.RETRYING, error=describe(error.exc or error))
        case Ignore():
            return Outcome(ExecutionState.SUCCEEDED)
        case Reject():
            return Outcome(ExecutionState.FAILED, error=f"Reject: {error.reason}")
        case SoftTimeLimitExceeded():
            return Outcome(
                ExecutionState.TIMED_OUT, error="stopped at its timeout", traceback=formatted(error)
            )
        case SystemExit() | KeyboardInterrupt() if is_told_to_end(error):
            if hard_limit is not None and seconds >= hard_limit - TOLERANCE:
                return Outcome(
                    ExecutionState.TIMED_OUT, error=f"killed at its hard limit of {hard_limit:g} s"
                )
            return Outcome(ExecutionState.LOST, error="the worker was stopped while it ran")
        case _:
            return Outcome(ExecutionState.FAILED, error=describe(error), traceback=formatted(error))


def interrupted(error: BaseException) -> Outcome:
    """Return how an attempt ended that *error* stopped before its body began."""
    if isinstance(error, SoftTimeLimitExceeded):
        return Outcome(ExecutionState.TIMED_OUT, error="stopped at its timeout before its body began")
    return Outcome(ExecutionState.LOST, error=f"its body never began: {describe(error)}")


def is_told_to_end(error: BaseException) -> bool:
    """Say whether *error* comes from outside; a body may also raise all of these by itself.

    A pool process is only ever told by its termination handler; a worker that runs tasks in its
    own process is told by ^C and by Celery's shutdown exceptions, which reach its main thread only.
    """
    if terminate_handler_fired() or current_process().name != "MainProcess":
        return bool(terminate_handler_fired())
    in_main_thread = threading.current_thread() is threading.main_thread()
    return in_main_thread and isinstance(error, (KeyboardInterrupt, *_SHUTDOWN))


def describe(error: object) -> str:
    """Return `Type: message`, or only the type where there is no message."""
    if not isinstance(error, BaseException):
        return str(error)
    try:
        message = str(error)
    except BaseException as broken:  # noqa: BLE001 an exception's own `str` may raise anything
        message = f"<its message raises {type(broken).__name__}>"
    name = type(error).__name__
    return f"{name}: {message}" if message else name


def formatted(error: BaseException) -> str:
    """Return *error*'s traceback from the first frame of the task's own code on."""
    return "".join(traceback.format_exception(type(error), error, _own_frames(error.__traceback__)))


def _own_frames(frames: TracebackType | None) -> TracebackType | None:
    own = frames
    while own is not None and own.tb_frame.f_globals.get("__name__", "").startswith(FRAMEWORK):
        own = own.tb_next
    return own or frames


_SHUTDOWN = (WorkerShutdown, WorkerTerminate)
