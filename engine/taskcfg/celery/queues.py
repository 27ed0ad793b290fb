"""Serving queues that a worker was not started with."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterable
from datetime import timedelta
from typing import Any

from celery import Celery
from kombu import Queue

from taskcfg.celery.accepting import accept
from taskcfg.dispatch.route import QueueMissing, Router
from taskcfg.errors import BrokerUnavailable, DatabaseUnavailable
from taskcfg.store.database import Engine
from taskcfg.store.queues import celery_tasks_without_queue, queues_of_live_tasks

logger = logging.getLogger("taskcfg.worker")

CONNECT_TIMEOUT = 5
"""Seconds to wait for a broker that does not answer."""


class Serving:
    """Has a worker also serve every queue that a live task names, as soon as one does.

    In a thread of its own: a broker that does not answer must not keep anybody waiting.
    """

    def __init__(self, app: Celery, wanted: Callable[[], Iterable[str]], interval: timedelta) -> None:
        self._app = app
        self._wanted = wanted
        self._interval = interval.total_seconds()
        self._refused: set[str] = set()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="taskcfg-queues", daemon=True)
        self._consumer: Any = None

    def begin(self, consumer: Any) -> None:
        self._consumer = consumer
        self._thread.start()

    def end(self) -> None:
        self._ended.set()

    def _run(self) -> None:
        while not self._ended.is_set():
            try:
                self._serve()
            except DatabaseUnavailable as error:
                logger.debug("queues.unknown reason=%r", error.message)  # the heartbeat says it aloud
            except Exception as error:  # noqa: BLE001 it is told, and tried again
                logger.warning("queues.unserved reason=%r", f"{type(error).__name__}: {error}")
            self._ended.wait(self._interval)

    def _serve(self) -> None:
        served = served_by(self._consumer)
        if served is None:
            return
        for name in sorted({*self._wanted()} - served - self._refused):
            queue = self._declared(name)
            if queue is not None:
                self._consumer.call_soon(self._add, queue)

    def _declared(self, name: str) -> Queue | None:
        """Declare the queue, or accept it as it stands, over a connection of its own; None where the
        worker goes on without it."""
        queues = self._app.amqp.queues
        queue = queues[name] if name in queues else queues.new_missing(name)
        with self._app.connection_for_write(connect_timeout=CONNECT_TIMEOUT) as connection:
            try:
                if connection.transport.driver_type != "amqp":
                    with connection.channel() as channel:
                        queue.bind(channel).declare()
                else:
                    queue.taskcfg_quorum = accept(connection, queues.add(queue))
            except (BrokerUnavailable, *connection.channel_errors) as error:
                self._refuse(name, error)
                return None
            except (*connection.connection_errors, OSError) as error:
                logger.debug("queue.undeclared queue=%s reason=%r", name, str(error))
                return None
            except Exception as error:  # noqa: BLE001 a name that no broker can take, written by hand
                self._refuse(name, error)
                return None
        return queue

    def _add(self, queue: Queue) -> None:
        """In the worker's own thread: consume from *queue* too."""
        quorum = getattr(queue, "taskcfg_quorum", False)
        if quorum and getattr(self._consumer, "qos_global", False):
            self._app.amqp.queues.select_add(queue)
            # Its channel is of the kind that a quorum queue refuses; the next one will not be.
            raise ConnectionResetError(
                f"`{queue.name}` is a quorum queue: the worker connects anew to serve it"
            )
        self._consumer.add_task_queue(queue.name)

    def _refuse(self, name: str, error: Exception) -> None:
        logger.warning("queue.refused queue=%.100s reason=%r", name, f"{type(error).__name__}: {error}")
        self._refused.add(name)


class Wanted:
    """The queues to which the fires of live tasks go: those they name, and those of *app*'s routing."""

    def __init__(self, app: Celery, database: Engine) -> None:
        self._app = app
        self._database = database
        self._router = Router(app)

    def __call__(self) -> frozenset[str]:
        """Raises DatabaseUnavailable."""
        routed = (self._routed(name) for name in celery_tasks_without_queue(self._database))
        return queues_of_live_tasks(self._database) | {queue for queue in routed if queue is not None}

    def _routed(self, name: str) -> str | None:
        try:
            return self._router.route(name, self._app.tasks.get(name), {}, (), {}).queue_name
        except QueueMissing:
            return None  # the relay says so, at each fire


def served_by(consumer: Any) -> frozenset[str] | None:
    """Return the queues that a worker serves; None while it has no connection to its broker."""
    task_consumer = consumer.task_consumer
    return None if task_consumer is None else frozenset(queue.name for queue in task_consumer.queues)
