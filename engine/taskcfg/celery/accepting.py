"""Queues that stand at the broker in another form than a worker would declare: served as they are."""

from __future__ import annotations

import logging
from typing import Any

from amqp.exceptions import ChannelError
from celery.worker.consumer import Consumer
from kombu import Connection, Queue

from taskcfg.celery.lost_connection import let_go
from taskcfg.dispatch.standing_queues import StandingQueue, standing_queue
from taskcfg.errors import BrokerUnavailable

logger = logging.getLogger("taskcfg.worker")

QUORUM = "quorum"


class AcceptingConsumer(Consumer):  # type: ignore[misc]  # Celery has no types
    """Celery's consumer, but one that no queue of the user's own making keeps from its work.

    Celery declares what it serves, and ends with a traceback where RabbitMQ has the queue with other
    arguments: a quorum queue, or one with priorities. Here each is looked at before, whenever the
    worker connects. And a connection that is lost is let go.
    """

    def on_connection_error_after_connected(self, exc: Exception) -> None:
        let_go(self.connection)
        super().on_connection_error_after_connected(exc)

    def connect(self) -> Any:
        connection = super().connect()
        if connection.transport.driver_type == "amqp":
            with self.connection_for_read() as looking:
                quorum = [accept(looking, queue) for queue in self.app.amqp.queues.consume_from.values()]
            if any(quorum):
                limit_each_queue(connection)
        return connection


def accept(connection: Connection, queue: Queue) -> bool:
    """Declare *queue*, or find out that it can be served as it stands; say whether it is a quorum queue.

    Raises BrokerUnavailable where it can be neither.
    """
    if queue.no_declare and not getattr(queue, "taskcfg_accepted", False):
        return is_quorum(queue)
    queue.no_declare, queue.taskcfg_accepted = False, False
    try:
        with connection.channel() as channel:
            queue.bind(channel).declare()
        return is_quorum(queue)
    except ChannelError as error:
        standing = standing_queue(connection, queue.name)
        if standing is None:
            raise BrokerUnavailable(
                f"queue `{queue.name}` cannot be served: {error}",
                hint="mend the rights of the broker's user, or whatever holds the queue",
            ) from error
        _bind(connection, queue)
        _say(queue, standing, error)
    queue.no_declare, queue.taskcfg_accepted = True, True
    return standing.kind == QUORUM


def limit_each_queue(connection: Connection) -> None:
    """Have Celery ask for so many messages of each queue, and not of all together: a quorum queue
    refuses consumers on a channel with a limit of its own, and RabbitMQ closes the connection."""
    connection.transport.qos_semantics_matches_spec = lambda _: True


def is_quorum(queue: Queue) -> bool:
    return (queue.queue_arguments or {}).get("x-queue-type") == QUORUM


def _bind(connection: Connection, queue: Queue) -> None:
    if queue.exchange is None or not queue.exchange.name:
        return
    try:
        with connection.channel() as channel:
            queue.exchange.bind(channel).declare()
            queue.bind(channel).queue_bind()
    except ChannelError as error:
        # Fires come by the default exchange, to which every queue is bound.
        logger.warning("queue.unbound queue=%s reason=%r", queue.name, str(error))


def _say(queue: Queue, standing: StandingQueue, error: Exception) -> None:
    wanted = (queue.queue_arguments or {}).get("x-max-priority", 0)
    level = logging.WARNING if wanted > standing.max_priority else logging.INFO
    logger.log(
        level,
        "queue.accepted queue=%s kind=%s max_priority=%d: it is served as it stands reason=%r",
        queue.name, standing.kind, standing.max_priority, str(error),
    )  # fmt: skip
