"""Putting the gate into the task classes of a Celery app."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from celery import Celery, Task
from celery.app.trace import build_tracer
from kombu.utils.imports import symbol_by_name

from taskcfg.dispatch.gate import Gate, with_references
from taskcfg.dispatch.message import EVENT_HEADER

INTERNAL = "celery."
"""What the names of Celery's own tasks begin with."""

_ENTERED = "taskcfg_entered"


class GatedTask(Task):  # type: ignore[misc]  # Celery has no types
    """What a task class becomes: calling it goes through the gate, for messages of ours only."""

    abstract = True
    taskcfg_gate: Gate
    taskcfg_calls_run: bool

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        request = self.request
        if request.get(EVENT_HEADER) is None or request.called_directly or request.get(_ENTERED):
            return self._call(*args, **kwargs)
        request.update({_ENTERED: True})  # a body may call its own task as a function
        return self.taskcfg_gate.run(self, self._call, args, kwargs)

    def signature_from_request(
        self, request: Any = None, args: Any = None, kwargs: Any = None, **options: Any
    ) -> Any:
        """Make what `self.retry(args=…)` sends: with references, where the body was given secrets."""
        args, kwargs = with_references(args), with_references(kwargs)
        return super().signature_from_request(request, args, kwargs, **options)

    def _call(self, *args: Any, **kwargs: Any) -> Any:
        # Celery calls `run` without going through `__call__` where a class has none of its own.
        if self.taskcfg_calls_run and not self.request.called_directly:
            return self.run(*args, **kwargs)
        return super().__call__(*args, **kwargs)


Requeued = Callable[[Any, BaseException | None], None]
"""Told, in a worker's parent process, of the request of ours that goes back to its queue, and why."""


def gate_tasks(
    app: Celery, gate: Gate, hostname: str | None = None, requeued: Requeued = lambda request, error: None
) -> None:
    """Put *gate* before every task of *app* but Celery's own; again for those that came since.

    Works for functions, `shared_task`s and classes alike: a registered task's class is replaced by
    a subclass of it. With *hostname*, what Celery had already prepared is prepared anew.
    """
    app.finalize()
    for name, task in app.tasks.items():
        if name.startswith(INTERNAL) or isinstance(task, GatedTask):
            continue
        task.__class__ = _gated(type(task), gate, requeued)
        if hostname is not None:
            task.__trace__ = build_tracer(name, task, app.loader, hostname, app=app)


def _gated(task_class: type[Task], gate: Gate, requeued: Requeued) -> type[Task]:
    attributes = {
        "Request": _told(symbol_by_name(task_class.Request), requeued),
        "taskcfg_gate": gate,
        "taskcfg_calls_run": task_class.__call__ is Task.__call__,
        "__module__": task_class.__module__,
        "__doc__": task_class.__doc__,
        "abstract": True,
    }
    return type(task_class.__name__, (GatedTask, task_class), attributes)


def _told(request_class: type[Any], requeued: Requeued) -> type[Any]:
    """Return *request_class*, telling *requeued* when a message of ours goes back to its queue.

    With `reject_on_worker_lost`, and without `acks_on_timeout`, Celery gives a message back whose
    pool process died, and sends no signal.
    """

    class Request(request_class):  # type: ignore[misc]
        _failure: Any = None

        def on_failure(self, exc_info: Any, *args: Any, **kwargs: Any) -> Any:
            self._failure = exc_info
            return super().on_failure(exc_info, *args, **kwargs)

        def reject(self, requeue: bool = False) -> Any:
            if requeue and self._failure is not None and EVENT_HEADER in (self._message.headers or {}):
                error = getattr(self._failure, "exception", None)
                requeued(self._context, getattr(error, "exc", error))
            return super().reject(requeue)

    return Request
