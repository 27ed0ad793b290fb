"""kombu's channel over the broker's file: routing, publishing, and what was delivered."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Iterable
from queue import Empty
from typing import Any

from amqp.exceptions import ChannelError, error_for_code
from amqp.protocol import queue_declare_ok_t
from kombu.transport import virtual
from kombu.transport.base import to_rabbitmq_queue_arguments
from kombu.utils.json import dumps, loads

from taskcfg.transport.broker_file import BrokerFileError
from taskcfg.transport.consumer import Delivery, Receipt
from taskcfg.transport.sqlite_queue import Outgoing
from taskcfg.transport.topology import Binding

BATCH = 16  # messages taken at once where the consumer sets no limit of its own
NO_ROUTE, NOT_FOUND, PRECONDITION_FAILED, COMMAND_INVALID = 312, 404, 406, 503  # AMQP's reply codes

RawMessage = dict[str, Any]

logger = logging.getLogger("taskcfg.transport")


class QoS(virtual.QoS):  # type: ignore[misc]  # kombu is skipped by the type checker
    """What was delivered on one channel and is not yet acknowledged."""

    @property
    def holds_any(self) -> bool:
        """Whether anything is not yet acknowledged."""
        return len(self._delivered) > len(self._dirty)

    def ack(self, delivery_tag: str) -> None:
        self.channel.consumer.ack(_receipt(delivery_tag))
        super().ack(delivery_tag)
        self.channel.ring()

    def reject(self, delivery_tag: str, requeue: bool = False) -> None:
        if not requeue:
            self.ack(delivery_tag)
            return
        self.channel.consumer.restore([_receipt(delivery_tag)])
        super().ack(delivery_tag)
        self.channel.ring()

    def restore_unacked(self) -> list[Any]:
        self._flush()
        if self._delivered:
            try:
                self.channel.consumer.restore([_receipt(tag) for tag in self._delivered])
            except BrokerFileError as error:
                # Somebody else gets them when this consumer's lease has ended.
                logger.warning("broker.unrestored messages=%d reason=%r", len(self._delivered), error.message)
            self._delivered.clear()
        return []


class Channel(virtual.Channel):  # type: ignore[misc]  # kombu is skipped by the type checker
    """One channel. Publishing returns once the message is committed, or raises.

    After `tx_select` messages are kept back until `tx_commit`, which stores them all at once.
    """

    QoS = QoS
    supports_fanout = True

    def __init__(self, connection: Any, **kwargs: Any) -> None:
        super().__init__(connection, **kwargs)
        self.consumer = connection.consumer
        self._topology = connection.topology
        self._queue = connection.queue
        self._file = connection.file
        self._ready: deque[Delivery] = deque()
        self._no_ack: set[str] = set()
        self._drained_at: object = None
        self._turn = 0
        self._is_stuck = False
        self._uncommitted: list[Outgoing] | None = None

    # -- what leads where: shared by all processes, where kombu's own is each connection's

    def exchange_declare(
        self, exchange: str | None = None, type: str = "direct", passive: bool = False, **kwargs: Any
    ) -> None:
        type = type or "direct"
        exchange = exchange or f"amq.{type}"
        if type not in self.exchange_types:
            text = f"COMMAND_INVALID - the embedded broker has no exchanges of type {type}"
            raise ChannelError(text, (40, 10), reply_code=COMMAND_INVALID)
        existing = self._topology.exchange_type(exchange)
        if passive and existing is None:
            raise error_for_code(NOT_FOUND, f"NOT_FOUND - no exchange {exchange!r}", (40, 10), ChannelError)
        existing = existing or self._topology.declare_exchange(exchange, type)
        if not passive and existing != type:
            text = f"PRECONDITION_FAILED - exchange {exchange!r} is of type {existing}, not {type}"
            raise error_for_code(PRECONDITION_FAILED, text, (40, 10), ChannelError)

    def exchange_delete(self, exchange: str, **kwargs: Any) -> None:
        self._topology.delete_exchange(exchange)

    def typeof(self, exchange: str, default: str = "direct") -> Any:
        return self.exchange_types[self._topology.exchange_type(exchange) or default]

    def get_table(self, exchange: str) -> list[tuple[str, str | None, str]]:
        return [(b.routing_key, b.pattern, b.queue) for b in self._topology.bindings(exchange)]

    def list_bindings(self) -> Iterable[tuple[str, str, str]]:
        return [(b.queue, exchange, b.routing_key) for exchange, b in self._topology.all_bindings()]

    def prepare_queue_arguments(self, arguments: dict[str, Any], **kwargs: Any) -> Any:
        return to_rabbitmq_queue_arguments(arguments, **kwargs)

    def queue_declare(self, queue: str | None = None, passive: bool = False, **kwargs: Any) -> Any:
        name = super().queue_declare(queue, passive, **kwargs).queue
        return queue_declare_ok_t(name, self._size(name), self._topology.consumers(name))

    def _new_queue(
        self, queue: str, auto_delete: bool = False, arguments: dict[str, Any] | None = None, **kwargs: Any
    ) -> None:
        arguments = arguments or {}
        self._topology.declare_queue(
            queue,
            auto_delete=auto_delete,
            expires=_seconds(arguments.get("x-expires")),
            message_ttl=_seconds(arguments.get("x-message-ttl")),
        )

    def _has_queue(self, queue: str, **kwargs: Any) -> bool:
        return bool(self._topology.has_queue(queue))

    def queue_delete(
        self, queue: str, if_unused: bool = False, if_empty: bool = False, **kwargs: Any
    ) -> None:
        if (if_empty and self._size(queue)) or (if_unused and self._topology.consumers(queue)):
            return
        self._topology.delete_queue(queue)

    def queue_bind(
        self,
        queue: str,
        exchange: str | None = None,
        routing_key: str = "",
        arguments: Any = None,
        **kwargs: Any,
    ) -> None:
        exchange = exchange or "amq.direct"
        self._topology.bind(exchange, self._binding(queue, exchange, routing_key, arguments))

    def queue_unbind(
        self,
        queue: str,
        exchange: str | None = None,
        routing_key: str = "",
        arguments: Any = None,
        **kwargs: Any,
    ) -> None:
        exchange = exchange or "amq.direct"
        self._topology.unbind(exchange, self._binding(queue, exchange, routing_key, arguments))

    def _binding(self, queue: str, exchange: str, routing_key: str, arguments: Any) -> Binding:
        key, pattern, queue = self.typeof(exchange).prepare_bind(queue, exchange, routing_key, arguments)
        return Binding(key or "", pattern, queue)

    def _purge(self, queue: str) -> int:
        return int(self._queue.purge(queue))

    def _size(self, queue: str) -> int:
        return int(self._queue.size(queue))

    # -- publishing

    def basic_publish(
        self, message: RawMessage, exchange: str, routing_key: str, mandatory: bool = False, **kwargs: Any
    ) -> None:
        """Store the message in every queue it leads to; nowhere is an error only if *mandatory*."""
        self._inplace_augment_message(message, exchange, routing_key)
        queues = sorted(self._lookup(exchange, routing_key))
        if mandatory and not (queues and all(map(self._has_queue, queues))):
            text = f"NO_ROUTE - no queue for {routing_key!r} at exchange {exchange!r}"
            raise error_for_code(NO_ROUTE, text, (60, 40), ChannelError)
        body = dumps(message)
        expiration = _seconds(message["properties"].get("expiration"))
        priority = self._get_message_priority(message)
        outgoing = [Outgoing(queue, body, priority, expiration) for queue in queues]
        if self._uncommitted is not None:
            self._uncommitted.extend(outgoing)
        elif outgoing:
            self._queue.put(outgoing)

    def tx_select(self) -> None:
        """Keep published messages back from now on, until `tx_commit`."""
        if self._uncommitted is None:
            self._uncommitted = []

    def tx_commit(self) -> None:
        """Store what was published since the last commit: all of it, or none and an error.

        After an error the messages are still kept back, and the call may be repeated.
        """
        if self._uncommitted:
            self._queue.put(self._uncommitted)
            self._uncommitted = []

    def tx_rollback(self) -> None:
        """Forget what was published since the last commit."""
        if self._uncommitted:
            self._uncommitted = []

    def encode_body(self, body: Any, encoding: str | None = None) -> tuple[Any, str | None]:
        if isinstance(body, str):
            return body, "utf-8"  # as it is: a third shorter than base64, and readable in the file
        encoded: tuple[Any, str | None] = super().encode_body(body, "base64")
        return encoded

    # -- consuming

    def basic_consume(
        self, queue: str, no_ack: bool, callback: Callable[..., Any], consumer_tag: str, **kwargs: Any
    ) -> None:
        self.consumer.subscribe(queue)
        if no_ack:
            self._no_ack.add(queue)
        super().basic_consume(queue, no_ack, callback, consumer_tag, **kwargs)
        self._drained_at = None
        self.connection.start_watching()
        self.ring()

    def basic_cancel(self, consumer_tag: str) -> None:
        queue = self._tag_to_queue.get(consumer_tag)
        super().basic_cancel(consumer_tag)
        if queue is None:
            return
        self._no_ack.discard(queue)
        self._give_back([delivery for delivery in self._ready if delivery.queue == queue])
        self.consumer.unsubscribe(queue)
        self.connection.rest()

    def basic_get(self, queue: str, no_ack: bool = False, **kwargs: Any) -> Any:
        if no_ack:
            delivery = self.consumer.take_away(queue)
        else:
            delivery = next(iter(self.consumer.take([queue], 1)), None)
            self.connection.start_watching()
        if delivery is None:
            return None
        message = self.Message(_raw(delivery), channel=self)
        if not no_ack:
            self.qos.append(message, message.delivery_tag)
        return message

    def basic_qos(self, prefetch_size: int = 0, prefetch_count: int = 0, apply_global: bool = False) -> None:
        super().basic_qos(prefetch_size, prefetch_count, apply_global)
        self.ring()

    def drain_events(self, timeout: float | None = None, callback: Callable[..., Any] | None = None) -> None:
        if not self._consumers or not self.qos.can_consume():
            raise Empty
        if not self._ready:
            self._fill()
        if not self._ready:
            raise Empty
        delivery = self._ready.popleft()
        (callback or self.connection._deliver)(_raw(delivery), delivery.queue)

    def close(self) -> None:
        if self.closed:
            return
        transport = self.connection
        self._give_back(list(self._ready))
        super().close()
        transport.rest()

    @property
    def is_consuming(self) -> bool:
        """Whether messages may come to this channel, or are held by it."""
        return bool(self._consumers or self._ready or (self._qos is not None and self._qos.holds_any))

    def ring(self) -> None:
        """There may be room for another message: have it looked for."""
        if self.connection is not None:
            self.connection.ring()

    def _fill(self) -> None:
        """Take what is ready, unless nothing was written since nothing was."""
        try:
            token = self._file.change_token()
            if token != self._drained_at:
                self._ready.extend(self._take())
                self._drained_at = None if self._ready else token
        except BrokerFileError as error:
            # Tasks at work must not lose their messages because the disk is full for a while.
            if not error.transient:
                raise
            if not self._is_stuck:
                logger.warning("broker.take_delayed reason=%r", error.message)
            self._is_stuck = True
        else:
            self._is_stuck = False

    def _take(self) -> list[Delivery]:
        self._turn += 1
        start = self._turn % len(self._active_queues)
        queues = [*self._active_queues[start:], *self._active_queues[:start]]
        taken = [self.consumer.take_away(queue) for queue in queues if queue in self._no_ack]
        held = [queue for queue in queues if queue not in self._no_ack]
        if held:
            taken.extend(self.consumer.take(held, self.qos.can_consume_max_estimate() or BATCH))
        return [delivery for delivery in taken if delivery is not None]

    def _give_back(self, deliveries: list[Delivery]) -> None:
        if not deliveries:
            return
        for delivery in deliveries:
            self._ready.remove(delivery)
        self.consumer.restore([delivery.receipt for delivery in deliveries])


def _raw(delivery: Delivery) -> RawMessage:
    message: RawMessage = loads(delivery.body)
    properties = message["properties"]
    properties["delivery_tag"] = f"{delivery.receipt.consumer}.{delivery.receipt.message}"
    properties["delivery_info"]["redelivered"] = delivery.redelivered
    return message


def _receipt(delivery_tag: str) -> Receipt:
    consumer, _, message = delivery_tag.partition(".")
    return Receipt(int(consumer), int(message))


def _seconds(milliseconds: str | int | None) -> float | None:
    return None if milliseconds is None else int(milliseconds) / 1000
