"""What makes the workers of a Celery app run our fires: the gate, a boot row, and lost children noticed."""

from __future__ import annotations

import os
from functools import cached_property, partial
from typing import Any
from uuid import UUID

from billiard.exceptions import TimeLimitExceeded, WorkerLostError
from celery import Celery, signals

from taskcfg.celery.app import add_types
from taskcfg.celery.boot import Boot
from taskcfg.celery.queues import Serving
from taskcfg.dispatch.gate import Gate, dispatched_of
from taskcfg.dispatch.gated import gate_tasks
from taskcfg.settings import Settings, load_settings
from taskcfg.spec.fires import ExecutionState, Outcome
from taskcfg.store.database import Engine, open_database
from taskcfg.store.executions import ExecutionRecords
from taskcfg.store.ids import new_id
from taskcfg.store.queues import queues_of_live_tasks
from taskcfg.types.registry import types_of
from taskcfg.types.surroundings import work_under

POOL_LOOK = 0.5
"""Seconds between two looks at the pool processes: Celery's own, every 5, lets the dead wait."""

BOOT_VARIABLE = "_TASKCFG_BOOT"
"""Tells pool processes that are not forks whose children they are."""


def install(app: Celery, settings: Settings | None = None, *, serve_all: bool = False) -> Installation:
    """Have *app*'s workers run taskcfg's fires, recorded and once; its other messages see no change.

    Nothing happens before a worker starts. Without *settings* they are read then, from
    `taskcfg.toml` and the environment. The task types become Celery tasks of *app*. With
    *serve_all* a worker also serves every queue that a live task names, as soon as it does.
    """
    installation = Installation(app, settings, serve_all=serve_all)
    signals.worker_init.connect(installation.on_worker_init, weak=False)
    signals.worker_process_init.connect(installation.on_process_init, weak=False)
    signals.worker_ready.connect(installation.on_ready, weak=False)
    signals.worker_shutdown.connect(installation.on_shutdown, weak=False)
    signals.task_failure.connect(installation.on_failure, weak=False)
    signals.task_revoked.connect(installation.on_revoked, weak=False)
    return installation


class Installation:
    """The receivers of one app's signals; of another app's workers they take no notice."""

    def __init__(self, app: Celery, settings: Settings | None, *, serve_all: bool) -> None:
        self._app = app
        self._settings = settings
        self._serve_all = serve_all
        self._gate = Gate(lambda: self.records, self._boot_id)
        self._boot: Boot | None = None
        self._serving: Serving | None = None
        self._parent: int | None = None

    @cached_property
    def settings(self) -> Settings:
        settings = self._settings or load_settings()
        work_under(settings)
        return settings

    @cached_property
    def database(self) -> Engine:
        """Connects when it is first used, in each process anew."""
        return open_database(self.settings.database_url, role="worker")

    @cached_property
    def records(self) -> ExecutionRecords:
        return ExecutionRecords(self.database)

    def end(self) -> None:
        """Sign the worker off, if nobody did: the last thing its process does."""
        if self._serving is not None:
            self._serving.end()
        boot, self._boot = self._boot, None
        if boot is not None:
            boot.end()
            self.database.dispose()

    def on_worker_init(self, sender: Any, **_: Any) -> None:
        if sender.app is not self._app:
            return
        self._parent = os.getpid()
        self._boot = Boot(
            self.database,
            self.records,
            boot_id=new_id(),
            hostname=sender.hostname,
            heartbeat=self.settings.worker_heartbeat,
            lease=self.settings.worker_lease,
        )
        os.environ[BOOT_VARIABLE] = str(self._boot.id)
        self._gate_tasks()

    def on_process_init(self, sender: Any, **_: Any) -> None:
        """In a pool process that is no fork, the app was imported anew: its tasks have no gate yet."""
        if self._parent is None and BOOT_VARIABLE in os.environ:
            self._gate_tasks(hostname=sender)

    def on_ready(self, sender: Any, **_: Any) -> None:
        if self._boot is not None and sender.app is self._app:
            _look_after_pool(sender)
            self._boot.begin(sender)
            if self._serve_all:
                wanted = partial(queues_of_live_tasks, self.database)
                self._serving = Serving(self._app, wanted, self.settings.worker_heartbeat)
                self._serving.begin(sender)

    def on_shutdown(self, sender: Any, **_: Any) -> None:
        if sender.app is self._app:
            self.end()

    def on_failure(self, sender: Any, exception: BaseException, **_: Any) -> None:
        """In the parent: a pool process died, or was killed at the hard limit.

        A hard limit is told twice; only the second time the request is there to be asked.
        """
        match exception:
            case TimeLimitExceeded():
                self._conclude(
                    sender.request, ExecutionState.TIMED_OUT, f"killed at its hard limit: {exception}"
                )
            case WorkerLostError():
                self._conclude(sender.request, ExecutionState.LOST, f"its worker process died: {exception}")

    def on_revoked(self, request: Any, terminated: bool, **_: Any) -> None:
        if terminated:
            self._conclude(request, ExecutionState.CANCELLED, "revoked and terminated")

    def _gate_tasks(self, hostname: str | None = None) -> None:
        add_types(self._app, types_of(self.settings))
        gate_tasks(self._app, self._gate, hostname)

    def _conclude(self, request: Any, state: ExecutionState, error: str) -> None:
        dispatched = dispatched_of(request, self._boot_id())
        if dispatched is not None and self._boot is not None and self._parent == os.getpid():
            self._boot.conclude(dispatched, Outcome(state, error=error))

    def _boot_id(self) -> UUID | None:
        if self._boot is not None:
            return self._boot.id
        text = os.environ.get(BOOT_VARIABLE)
        return UUID(text) if text else None


def _look_after_pool(consumer: Any) -> None:
    """Notice pool processes that died soon: their end is often told before they can be asked for it."""
    if consumer.hub is not None:
        consumer.hub.call_repeatedly(POOL_LOOK, consumer.pool.maintain_pool)
