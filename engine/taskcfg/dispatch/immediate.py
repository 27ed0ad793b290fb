"""Publishing to a broker without publisher confirms: the command's own answer is the confirm."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from kombu import Connection, Producer
from kombu.exceptions import EncodeError, KombuError

from taskcfg.dispatch.wire import Parcel, no_queue
from taskcfg.errors import BrokerUnavailable
from taskcfg.spec.fires import Confirmed, Receipt, Unroutable, Unsendable

BATCH = 1000
NO_ROUTE = 312
HIGHEST_PRIORITY = 9


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
        self._errors = (
            *connection.connection_errors,
            *connection.channel_errors,
            BrokerUnavailable,
            KombuError,
            OSError,
        )
        # kombu hands Redis the number as it is, and Redis serves the lowest first
        self._inverted = connection.transport.driver_type == "redis"
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

    def _publish_in_batch(self, parcels: Iterable[Parcel], receipts: dict[int, Receipt]) -> None:
        answers: dict[int, Receipt] = {}
        with self._producer.batch(max_size=BATCH):
            self._publish_each(parcels, answers)
        receipts.update(answers)

    def _publish_in_transaction(self, parcels: Iterable[Parcel], receipts: dict[int, Receipt]) -> None:
        answers: dict[int, Receipt] = {}
        self._channel.tx_select()
        self._publish_each(parcels, answers)
        self._channel.tx_commit()
        receipts.update(answers)

    def _publish_one(self, parcel: Parcel) -> Receipt:
        message = parcel.message
        properties: dict[str, Any] = dict(message.properties)
        if self._inverted and properties.get("priority") is not None:
            properties["priority"] = HIGHEST_PRIORITY - properties["priority"]
        try:
            self._put(parcel, properties)
        except (EncodeError, TypeError) as error:
            return Unsendable(f"it does not fit into a message: {error}")
        except self._connection.channel_errors as error:
            if getattr(error, "reply_code", None) == NO_ROUTE:
                return Unroutable(no_queue(message.route.queue_name))
            raise
        return Confirmed()

    def _put(self, parcel: Parcel, properties: dict[str, Any]) -> None:
        message, encoded = parcel.message, parcel.encoded
        where = {"exchange": message.route.exchange, "routing_key": message.route.routing_key}
        kind = {"content_type": encoded.content_type, "content_encoding": encoded.content_encoding}
        if message.route.queue is not None:
            self._producer.maybe_declare(message.route.queue)
        if self._batched:
            self._producer.publish(encoded.body, headers=message.headers, **where, **kind, **properties)
            return
        made = self._channel.prepare_message(
            encoded.body,
            properties.pop("priority", None),
            headers=message.headers,
            properties=properties,
            **kind,
        )
        self._channel.basic_publish(made, mandatory=True, **where)
