"""What it means for an attempt that its body raised something."""

from __future__ import annotations

import threading
import traceback
from dataclasses import replace
from types import TracebackType
from typing import Any

from billiard import current_process
from billiard.common import terminate_handler_fired
from celery.exceptions import Ignore, Reject, Retry, SoftTimeLimitExceeded, WorkerShutdown, WorkerTerminate

from taskcfg.spec.fires import ExecutionState, Outcome
from taskcfg.spec.limits import SEARCHED, foreshortened, storable, storable_result

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
    """Return `Type: message`, or only the type where there is no message; what is very long, cut."""
    if not isinstance(error, BaseException):
        return foreshortened(str(error))
    try:
        message = foreshortened(str(error))
    except BaseException as broken:  # noqa: BLE001 an exception's own `str` may raise anything
        message = f"<its message raises {type(broken).__name__}>"
    name = type(error).__name__
    return f"{name}: {message}" if message else name


def formatted(error: BaseException) -> str:
    """Return *error*'s traceback from the first frame of the task's own code on; what is very long, cut."""
    frames = _own_frames(error.__traceback__)
    if is_large(error):
        # The usual way would copy each message, and those of its causes too, several times.
        text = "Traceback (most recent call last):\n" + "".join(traceback.format_tb(frames)) + describe(error)
    else:
        text = "".join(traceback.format_exception(type(error), error, frames))
    return foreshortened(text, keep_end=True)


def is_large(error: BaseException) -> bool:
    """Say whether what *error*, its causes and its notes have to say is too long to be copied about."""
    seen: dict[int, BaseException] = {}
    todo: list[Any] = [error]
    room = SEARCHED
    while todo:
        one = todo.pop()
        if isinstance(one, BaseException) and id(one) not in seen:
            seen[id(one)] = one
            room -= _length(one)
            todo += (one.__cause__, one.__context__)
            if isinstance(one, BaseExceptionGroup):
                todo += one.exceptions
    return room < 0


def _length(error: BaseException) -> int:
    said = 0
    for part in (error, *error.args, *getattr(error, "__notes__", ())):
        try:
            said += len(part) if isinstance(part, str | bytes) else len(str(part)) if part is error else 0
        except BaseException:  # noqa: BLE001 as in `describe`
            said += 1
    return said


def kept(outcome: Outcome) -> Outcome:
    """Return *outcome* as it is recorded: no longer than the limits, which leave Celery's own copy alone.

    A result's own `repr` is asked here, once, while the attempt's time limits still count.
    """
    return replace(
        outcome,
        result=storable_result(outcome.result),
        error=storable(outcome.error),
        traceback=storable(outcome.traceback, keep_end=True),
    )


def _own_frames(frames: TracebackType | None) -> TracebackType | None:
    own = frames
    while own is not None and own.tb_frame.f_globals.get("__name__", "").startswith(FRAMEWORK):
        own = own.tb_next
    return own or frames


_SHUTDOWN = (WorkerShutdown, WorkerTerminate)
