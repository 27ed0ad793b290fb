"""Putting the gate into the task classes of a Celery app."""

from __future__ import annotations

from typing import Any

from celery import Celery, Task
from celery.app.trace import build_tracer

from taskcfg.dispatch.gate import Gate
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
        return self.taskcfg_gate.run(self, lambda: self._call(*args, **kwargs))

    def _call(self, *args: Any, **kwargs: Any) -> Any:
        # Celery calls `run` without going through `__call__` where a class has none of its own.
        if self.taskcfg_calls_run and not self.request.called_directly:
            return self.run(*args, **kwargs)
        return super().__call__(*args, **kwargs)


def gate_tasks(app: Celery, gate: Gate, hostname: str | None = None) -> None:
    """Put *gate* before every task of *app* but Celery's own; again for those that came since.

    Works for functions, `shared_task`s and classes alike: a registered task's class is replaced by
    a subclass of it. With *hostname*, what Celery had already prepared is prepared anew.
    """
    app.finalize()
    for name, task in app.tasks.items():
        if name.startswith(INTERNAL) or isinstance(task, GatedTask):
            continue
        task.__class__ = _gated(type(task), gate)
        if hostname is not None:
            task.__trace__ = build_tracer(name, task, app.loader, hostname, app=app)


def _gated(task_class: type[Task], gate: Gate) -> type[Task]:
    attributes = {
        "taskcfg_gate": gate,
        "taskcfg_calls_run": task_class.__call__ is Task.__call__,
        "__module__": task_class.__module__,
        "__doc__": task_class.__doc__,
        "abstract": True,
    }
    return type(task_class.__name__, (GatedTask, task_class), attributes)
