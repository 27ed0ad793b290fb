"""Publishing to an AMQP broker: a batch is pipelined, then its confirms are waited for once."""

from __future__ import annotations

import logging
import struct
from collections.abc import Iterable, Iterator
from contextlib import suppress
from itertools import takewhile
from typing import Any

import amqp
from amqp import Channel
from amqp.exceptions import FrameSyntaxError, NotFound, PreconditionFailed
from kombu import Connection

from taskcfg.clock import Clock
from taskcfg.dispatch.frames import Framer, HeadersTooLarge
from taskcfg.dispatch.route import Route
from taskcfg.dispatch.wire import Parcel, no_queue
from taskcfg.failpoints import failpoint
from taskcfg.spec.fires import Confirmed, Receipt, Unconfirmed, Unroutable, Unsendable

logger = logging.getLogger("taskcfg.dispatch")

UNPACKABLE = (FrameSyntaxError, struct.error, OverflowError, TypeError, HeadersTooLarge)
"""What py-amqp raises for a message that it cannot put into frames."""

WRITE_SIZE = 65_536
"""Bytes that are collected before they are written: about a hundred messages."""

NO_EXCHANGE = "exchange `{}` does not exist: start a worker that declares it"


class ConfirmedWire:
    """One connection with one channel in confirm mode.

    The broker numbers what it takes on the channel, as we do; its acks, nacks and returns come
    back under these numbers and ids. When it closes the channel because of one message (an
    exchange that is gone, a right that is missing), whatever it had not answered is published
    again one by one, so that only the culprit suffers: publishing twice is harmless.
    """

    def __init__(self, connection: Connection, *, confirm_timeout: float, clock: Clock) -> None:
        self._connection = connection
        self._timeout = confirm_timeout
        self._clock = clock
        self.lost: str | None = None
        self._declared: set[tuple[str, str | None]] = set()
        self._missing: set[str] = set()
        self._sent: dict[str, Parcel] = {}
        self._unanswered: dict[int, Parcel] = {}
        self._receipts: dict[int, Receipt] = {}
        self._frames = bytearray()
        self._blocked = False
        self._channel = self._open_channel()
        connection.connection.on_blocked = self._on_blocked
        connection.connection.on_unblocked = self._on_unblocked

    def publish(self, parcels: Iterable[Parcel]) -> dict[int, Receipt]:
        self._sent, self._receipts, self._missing = {}, {}, set()
        deadline = self._clock.monotonic() + self._timeout
        try:
            self._publish_all(iter(parcels), deadline)
        except (TimeoutError, BlockingIOError):
            self.lost = f"the broker did not confirm within {self._timeout:g} s{self._why_blocked()}"
        except (*self._connection.connection_errors, *self._connection.channel_errors) as error:
            self.lost = f"the connection to the broker broke off: {error}"
        return self._receipts

    def alive(self) -> bool:
        """Also reads what came in meanwhile, so that a connection closed at rest is noticed."""
        if self.lost is None and not self._connection.connected:
            self.lost = "the broker closed the connection"
        if self.lost is None:
            try:
                self._connection.drain_events(timeout=0)
            except (TimeoutError, BlockingIOError):
                return True
            except (*self._connection.connection_errors, *self._connection.channel_errors) as error:
                self.lost = str(error)
        return self.lost is None

    def close(self) -> None:
        if self.lost is None:
            self._connection.release()
        else:
            self._connection.collect()  # no goodbye to who does not answer

    def _why_blocked(self) -> str:
        return ": it blocks who publishes, as it does when short of memory or disk" if self._blocked else ""

    # -- the batch

    def _publish_all(self, parcels: Iterator[Parcel], deadline: float) -> None:
        while True:
            try:
                self._pipeline(parcels, deadline)
                return
            except self._connection.channel_errors as error:
                logger.debug("publish.channel_closed reason=%r", str(error))
                self._reopen()
                self._declared.clear()
                for parcel in [*self._sent.values()]:
                    if parcel.index not in self._receipts:
                        self._publish_alone(parcel, deadline)

    def _publish_alone(self, parcel: Parcel, deadline: float) -> None:
        try:
            self._pipeline([parcel], deadline)
        except PreconditionFailed as error:  # too large, or a property that it takes from nobody
            self._receipts[parcel.index] = Unsendable(f"the broker refuses it for good: {error}")
            self._reopen()
        except self._connection.channel_errors as error:
            self._receipts[parcel.index] = Unroutable(f"the broker refused it: {error}")
            self._reopen()

    def _pipeline(self, parcels: Iterable[Parcel], deadline: float) -> None:
        """Publish without waiting, then wait for the answers. Raises TimeoutError past *deadline*."""
        for parcel in parcels:
            route = parcel.message.route
            if route.place not in self._declared:
                self._await_answers(deadline)  # what is on its way may go down with the channel
                self._declare(route)
            if route.exchange in self._missing:
                self._receipts[parcel.index] = Unroutable(NO_EXCHANGE.format(route.exchange))
                continue
            self._publish_one(parcel)
            failpoint("wire.mid_batch")
            if self._clock.monotonic() > deadline:
                raise TimeoutError
        self._await_answers(deadline)

    def _publish_one(self, parcel: Parcel) -> None:
        message, encoded = parcel.message, parcel.encoded
        route, body = message.route, encoded.body
        self._sent[parcel.celery_id] = parcel
        properties = {
            **message.properties,
            "content_type": encoded.content_type,
            "content_encoding": encoded.content_encoding,
            "application_headers": message.headers,
        }
        if isinstance(body, str):
            body = body.encode(encoded.content_encoding)
        try:
            frames = self._framer.frames(route.exchange, route.routing_key, properties, body)
            if frames is None:
                self._write()
                made = amqp.Message(body, **properties)
                self._channel.basic_publish(
                    made, exchange=route.exchange, routing_key=route.routing_key, mandatory=True
                )
            else:
                self._frames += frames
        except UNPACKABLE as error:
            self._receipts[parcel.index] = Unsendable(f"it does not fit into an AMQP message: {error}")
            return
        self._published += 1
        self._unanswered[self._published] = parcel
        if len(self._frames) >= WRITE_SIZE:
            self._write()

    def _write(self) -> None:
        """Write what is collected, and look whether the broker said something meanwhile."""
        if self._frames:
            frames, self._frames = bytes(self._frames), bytearray()
            connection = self._connection.connection
            connection.transport.write(frames)
            connection.bytes_sent += 1  # py-amqp's sign that no heartbeat is due
            with suppress(TimeoutError):
                self._connection.drain_events(timeout=0)

    def _await_answers(self, deadline: float) -> None:
        self._write()
        failpoint("wire.before_answers")
        while self._unanswered:
            left = deadline - self._clock.monotonic()
            if left <= 0:
                raise TimeoutError
            self._connection.drain_events(timeout=left)

    # -- answers

    def _on_ack(self, tag: int, multiple: bool) -> None:
        self._answer(tag, multiple, Confirmed())

    def _on_nack(self, tag: int, multiple: bool) -> None:
        self._answer(tag, multiple, Unconfirmed("the broker could not take it (nack)"))

    def _answer(self, tag: int, multiple: bool, receipt: Receipt) -> None:
        tags = list(takewhile(lambda sent: sent <= tag, self._unanswered)) if multiple else [tag]
        for sent in tags:
            parcel = self._unanswered.pop(sent, None)
            if parcel is not None:
                self._receipts.setdefault(parcel.index, receipt)

    def _on_blocked(self, reason: str) -> None:
        self._blocked = True

    def _on_unblocked(self) -> None:
        self._blocked = False

    def _on_return(self, error: Exception, exchange: str, routing_key: str, message: Any) -> None:
        """Note a message that led to no queue; its ack comes after."""
        parcel = self._sent.get(message.properties.get("correlation_id"))
        if parcel is not None:
            self._receipts[parcel.index] = Unroutable(no_queue(parcel.message.route.queue_name))

    # -- places

    def _declare(self, route: Route) -> None:
        """Declare the app's own queue, or look whether the exchange exists.

        A queue that is there with other arguments, or that we may not declare, is published to
        all the same: a message that leads nowhere comes back.
        """
        try:
            if route.queue is not None:
                route.queue.bind(self._channel).declare()
            elif route.exchange:
                self._channel.exchange_declare(route.exchange, "direct", passive=True)
        except NotFound:
            self._missing.add(route.exchange)
            self._reopen()
            return
        except self._connection.channel_errors as error:
            logger.warning("queue.undeclared queue=%s reason=%r", route.queue_name, str(error))
            self._reopen()
        self._declared.add(route.place)

    def _open_channel(self) -> Channel:
        channel: Channel = self._connection.channel()
        channel.confirm_select()
        channel.events["basic_ack"].add(self._on_ack)
        channel.events["basic_nack"].add(self._on_nack)
        channel.events["basic_return"].add(self._on_return)
        self._published = 0
        self._unanswered.clear()
        self._frames.clear()  # they were for the channel before, and are published again
        self._framer = Framer(channel.channel_id, self._connection.connection.frame_max)
        return channel

    def _reopen(self) -> None:
        self._channel.close()
        self._channel = self._open_channel()
