"""What makes the workers of a Celery app run our fires: the gate, a boot row, and lost children noticed."""

from __future__ import annotations

import logging
import os
import signal
from collections.abc import Iterable
from contextlib import suppress
from functools import cached_property
from typing import Any
from uuid import UUID
from weakref import WeakKeyDictionary

from billiard.exceptions import TimeLimitExceeded, WorkerLostError
from celery import Celery, signals
from celery.app.task import Context
from celery.worker import state

from taskcfg import transport
from taskcfg.celery import interrupting  # noqa: F401 workers know the command once it is imported
from taskcfg.celery.app import add_types
from taskcfg.celery.boot import Boot
from taskcfg.celery.fitness import broker_differs, remarks
from taskcfg.celery.priorities import read_every_priority
from taskcfg.celery.queues import Serving, Wanted
from taskcfg.dispatch.gate import Gate, dispatched_of
from taskcfg.dispatch.gated import gate_tasks
from taskcfg.dispatch.secret_source import SecretSource
from taskcfg.errors import DatabaseUnavailable, TaskcfgError
from taskcfg.logs import finish_lines_before_forks
from taskcfg.settings import Settings, load_settings
from taskcfg.spec.fires import ExecutionState, Outcome
from taskcfg.store import schema
from taskcfg.store.database import Engine, open_database
from taskcfg.store.executions import ExecutionRecords
from taskcfg.store.ids import new_id
from taskcfg.store.settings_table import Identity
from taskcfg.types.registry import types_of
from taskcfg.types.surroundings import work_under

logger = logging.getLogger("taskcfg.worker")

POOL_LOOK = 0.5
"""Seconds between two looks at the pool processes: Celery's own, every 5, lets the dead wait."""

BOOT_VARIABLE = "_TASKCFG_BOOT"
"""Tells pool processes that are not forks whose children they are."""


_installed: WeakKeyDictionary[Celery, Installation] = WeakKeyDictionary()


def install(app: Celery, settings: Settings | None = None, *, serve_all: bool = False) -> Installation:
    """Have *app*'s workers run taskcfg's fires, recorded and once; its other messages see no change.

    Nothing happens before a worker starts. Without *settings* they are read then, from
    `taskcfg.toml` and the environment. The task types become Celery tasks of *app*. With
    *serve_all* a worker also serves every queue that a live task names, as soon as it does.
    Installing again only lays the new arguments over the old.
    """
    transport.register()
    installation = _installed.get(app)
    if installation is not None:
        installation.adjust(settings, serve_all=serve_all)
        return installation
    installation = _installed[app] = Installation(app, settings, serve_all=serve_all)
    signals.worker_init.connect(installation.on_worker_init, weak=False)
    signals.worker_process_init.connect(installation.on_process_init, weak=False)
    signals.worker_ready.connect(installation.on_ready, weak=False)
    signals.worker_shutdown.connect(installation.on_shutdown, weak=False)
    signals.task_failure.connect(installation.on_failure, weak=False)
    signals.task_retry.connect(installation.on_retry, weak=False)
    signals.task_unknown.connect(installation.on_unknown, weak=False)
    signals.task_revoked.connect(installation.on_revoked, weak=False)
    return installation


class Installation:
    """The receivers of one app's signals; of another app's workers they take no notice."""

    def __init__(self, app: Celery, settings: Settings | None, *, serve_all: bool) -> None:
        self._app = app
        self._settings = settings
        self._serve_all = serve_all
        self._gate = Gate(self._records_checked, self._boot_id, look_up=self._secret, database=self._identity)
        self._boot: Boot | None = None
        self._serving: Serving | None = None
        self._parent: int | None = None
        self._unfit: list[TaskcfgError] = []
        self._schema_checked = False

    def adjust(self, settings: Settings | None, *, serve_all: bool) -> None:
        """Lay *settings*, if there are any, over those known; before a worker starts."""
        self._settings = settings or self._settings
        self._serve_all = serve_all or self._serve_all

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

    def _identity(self) -> UUID | None:
        return self._known_identity()

    @cached_property
    def _known_identity(self) -> Identity:
        return Identity(self.database)

    def _secret(self, name: str) -> str:
        return SecretSource(self.settings.secrets_dir).look_up(name)

    def end(self) -> None:
        """Sign the worker off, if nobody did: the last thing its process does."""
        if self._serving is not None:
            self._serving.end()
        boot, self._boot = self._boot, None
        if boot is not None:
            boot.end()
            self.database.dispose()

    def cut_off(self, worker: Any, fetched: Iterable[Any]) -> None:
        """Kill what *worker* runs, have it recorded as lost, and sign off. The process must end now.

        What it had *fetched* and not begun is published again: not every broker takes it back at once.
        """
        requests = {request.id: request for request in (*fetched, *state.active_requests)}
        for pid in worker.pool.info.get("processes", ()):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        for request in requests.values():
            self._conclude(
                request._context, ExecutionState.LOST, "cut off: its worker was told to end at once"
            )
        self.end()

    def on_worker_init(self, sender: Any, **_: Any) -> None:
        """Put the gate in place, come what may: a fire must not run unrecorded.

        With settings or types that do not work the worker runs its other tasks as ever.
        """
        if sender.app is not self._app:
            return
        finish_lines_before_forks()
        read_every_priority(self._app)
        self._parent = os.getpid()
        boot_id = new_id()
        os.environ[BOOT_VARIABLE] = str(boot_id)
        self._gate_tasks()
        try:
            self._boot = Boot(
                self.database,
                self.records,
                environment=self.settings.env,
                boot_id=boot_id,
                hostname=sender.hostname,
                heartbeat=self.settings.worker_heartbeat,
                lease=self.settings.worker_lease,
            )
        except TaskcfgError as error:
            self._unfit.append(error)

    def on_process_init(self, sender: Any, **_: Any) -> None:
        """In a pool process that is no fork, the app was imported anew: its tasks have no gate yet."""
        if self._parent is None and BOOT_VARIABLE in os.environ:
            self._gate_tasks(hostname=sender)

    def on_ready(self, sender: Any, **_: Any) -> None:
        if sender.app is not self._app:
            return
        if self._boot is not None:
            _look_after_pool(sender)
            self._boot.begin(sender)
            if self._serve_all:
                wanted = Wanted(self._app, self.database)
                self._serving = Serving(self._app, wanted, self.settings.worker_heartbeat)
                self._serving.begin(sender)
        self._say_what_is_wrong(sender)

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

    def on_retry(self, request: Any, reason: Any, **_: Any) -> None:
        """In the parent: Celery sends a task again whose pool process died (`retry_on_worker_lost`)."""
        lost = getattr(reason, "exc", None)
        if isinstance(lost, WorkerLostError):
            self._conclude(request, ExecutionState.RETRYING, f"its worker process died: {lost}")

    def on_requeued(self, request: Any, error: BaseException | None) -> None:
        """In the parent: a message goes back to its queue, though its pool process is dead. No signal
        tells of that, and the gate will refuse the copy."""
        if isinstance(error, TimeLimitExceeded):
            self._conclude(request, ExecutionState.TIMED_OUT, f"killed at its hard limit: {error}")
        else:
            self._conclude(request, ExecutionState.LOST, f"its worker process died: {error}")

    def on_unknown(self, sender: Any, message: Any, name: str, **_: Any) -> None:
        """In the parent: Celery dropped a message whose task nobody registered here."""
        if sender.app is self._app and self._boot is not None:
            request = Context(message.headers or {}, hostname=sender.hostname)
            dispatched = dispatched_of(request, self._boot.id)
            if dispatched is not None:
                self._boot.unknown(
                    dispatched, f"worker {sender.hostname} does not know the Celery task `{name}`"
                )

    def on_revoked(self, request: Any, terminated: bool, **_: Any) -> None:
        if terminated:
            self._conclude(request, ExecutionState.CANCELLED, "revoked and terminated")

    def _gate_tasks(self, hostname: str | None = None) -> None:
        try:
            add_types(self._app, types_of(self.settings))
        except TaskcfgError as error:
            self._unfit.append(error)
        gate_tasks(self._app, self._gate, hostname, self.on_requeued)

    def _records_checked(self) -> ExecutionRecords:
        """Return the records. Raises TaskcfgError where they cannot be of use before somebody acts."""
        if not self._schema_checked:
            try:
                schema.check_for(self.database, self.settings.env)
            except DatabaseUnavailable:
                return self.records  # which wait for it
            self._schema_checked = True
        return self.records

    def _say_what_is_wrong(self, consumer: Any) -> None:
        """Only now: before, Celery had not set up logging yet."""
        for message, hint in dict.fromkeys((error.message, error.hint) for error in self._unfit):
            logger.error("worker.unfit reason=%r hint=%r", message, hint)
        pool = consumer.controller.pool_cls.__module__
        differs = None if self._boot is None else broker_differs(self._app, self.settings)
        for remark in (*filter(None, [differs]), *remarks(self._app, pool)):
            level = logging.ERROR if remark.broken else logging.WARNING
            logger.log(level, "worker.settings reason=%r hint=%r", remark.reason, remark.hint)

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
