"""Publishing to a broker without publisher confirms: the command's own answer is the confirm."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from kombu import Connection, Producer
from kombu.exceptions import EncodeError, KombuError

from taskcfg.dispatch.message import EVENT_HEADER, Message
from taskcfg.dispatch.redis_batch import RedisBatch
from taskcfg.dispatch.wire import Parcel, no_queue
from taskcfg.errors import BrokerUnavailable
from taskcfg.failpoints import failpoint
from taskcfg.spec.fires import Confirmed, Receipt, Unroutable, Unsendable

NO_ROUTE = 312
HIGHEST_PRIORITY = 9

PRIORITY_STEPS = tuple(range(HIGHEST_PRIORITY + 1))
"""kombu keeps one list in Redis for each step, four unless it is told: these tell ten priorities apart."""

UNGATED_STEPS = "ungated_priority_steps"
"""The transport option of ours that names the lists for messages without a gate; else all are for all."""

UNFIT = (TypeError, ValueError, LookupError, AttributeError, ArithmeticError, RecursionError)
"""What a message raises that its transport cannot take."""


class ImmediateWire:
    """One connection to Redis, the embedded broker, or another of kombu's virtual transports.

    Where the transport can send many messages in one round trip it does, and then answers for
    all of them together; otherwise each is answered for as it is published.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self.lost: str | None = None
        self._channel = connection.channel()
        self._producer = Producer(self._channel, auto_declare=False)
        self._batched = self._producer.supports_batch_publish
        self._batch: RedisBatch | None = None
        self._errors = (
            *connection.connection_errors,
            *connection.channel_errors,
            BrokerUnavailable,
            KombuError,
            OSError,
        )
        # kombu hands Redis the number as it is, and Redis serves the lowest first
        self._inverted = connection.transport.driver_type == "redis"
        self._ungated_steps = connection.transport_options.get(UNGATED_STEPS, ())
        self._transactional = connection.transport.driver_type == "embedded"

    def publish(self, parcels: Iterable[Parcel]) -> dict[int, Receipt]:
        receipts: dict[int, Receipt] = {}
        try:
            if self._transactional:
                self._publish_in_transaction(parcels, receipts)
            elif self._batched:
                self._publish_in_batch(parcels, receipts)
            else:
                self._publish_each(parcels, receipts)
        except self._errors as error:
            self.lost = f"the broker failed: {error.__cause__ or error}"
        return receipts

    def alive(self) -> bool:
        return self.lost is None

    def close(self) -> None:
        if self.lost is None:
            self._connection.release()
        else:
            self._connection.collect()

    def _publish_each(self, parcels: Iterable[Parcel], receipts: dict[int, Receipt]) -> None:
        for parcel in parcels:
            receipts[parcel.index] = self._publish_one(parcel)
            failpoint("wire.mid_batch")

    def _publish_in_batch(self, parcels: Iterable[Parcel], receipts: dict[int, Receipt]) -> None:
        answers: dict[int, Receipt] = {}
        self._batch = RedisBatch(self._channel)
        self._publish_each(parcels, answers)
        failpoint("wire.before_answers")
        self._batch.send()
        receipts.update(answers)

    def _publish_in_transaction(self, parcels: Iterable[Parcel], receipts: dict[int, Receipt]) -> None:
        answers: dict[int, Receipt] = {}
        self._channel.tx_select()
        self._publish_each(parcels, answers)
        failpoint("wire.before_answers")
        self._channel.tx_commit()
        receipts.update(answers)

    def _publish_one(self, parcel: Parcel) -> Receipt:
        message = parcel.message
        properties: dict[str, Any] = dict(message.properties)
        try:
            if self._inverted and properties.get("priority") is not None:
                properties["priority"] = self._redis_priority(message, properties["priority"])
            self._put(parcel, properties)
        except self._errors as error:
            if isinstance(error, EncodeError):
                return Unsendable(f"it does not fit into a message: {error}")
            if getattr(error, "reply_code", None) == NO_ROUTE:
                return Unroutable(no_queue(message.route.queue_name))
            raise
        except UNFIT as error:
            return Unsendable(f"it does not fit into a message: {type(error).__name__}: {error}")
        return Confirmed()

    def _redis_priority(self, message: Message, priority: int) -> int:
        """Return the number that has Redis serve *message* before those of a lower priority.

        kombu keeps a list for each of its `priority_steps`, and a worker looks into those it knows of.
        What no gate waits for is for workers who may know of fewer lists than ours: UNGATED_STEPS.
        """
        inverted = HIGHEST_PRIORITY - priority
        if EVENT_HEADER in message.headers:
            return inverted
        return max((step for step in self._ungated_steps if step <= inverted), default=inverted)

    def _put(self, parcel: Parcel, properties: dict[str, Any]) -> None:
        message, encoded = parcel.message, parcel.encoded
        where = {"exchange": message.route.exchange, "routing_key": message.route.routing_key}
        kind = {"content_type": encoded.content_type, "content_encoding": encoded.content_encoding}
        if message.route.queue is not None:
            self._producer.maybe_declare(message.route.queue)
        made = self._channel.prepare_message(
            encoded.body,
            properties.pop("priority", None),
            headers=message.headers,
            properties=properties,
            **kind,
        )
        if self._batch is not None:
            self._batch.publish(made, **where)
        else:
            self._channel.basic_publish(made, mandatory=True, **where)
