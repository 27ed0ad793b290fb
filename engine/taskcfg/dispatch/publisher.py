"""The dispatcher that publishes through Celery's broker, and waits until the broker has it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from copy import deepcopy
from uuid import UUID

from celery import Celery, signals
from kombu import Connection
from kombu.exceptions import OperationalError

from taskcfg.clock import Clock, SystemClock
from taskcfg.dispatch.confirmed import ConfirmedWire
from taskcfg.dispatch.fitting import CannotSend
from taskcfg.dispatch.immediate import ImmediateWire
from taskcfg.dispatch.message import Message, MessageMaker
from taskcfg.dispatch.route import QueueMissing
from taskcfg.dispatch.wire import Parcel, Wire
from taskcfg.spec.fires import Confirmed, Outgoing, Receipt, Unconfirmed, Unroutable, Unsendable

CONNECT_TIMEOUT = 4.0


class CeleryDispatcher:
    """Publishes fires as *app*'s own messages, over one connection that is made when needed.

    `send` returns when the broker has answered for every fire, or *confirm_timeout* seconds after
    the last was published; connecting may take another *connect_timeout*. With a broker that knows
    no publisher confirms (Redis, the embedded one), the command's own answer is the confirm.
    *database* names the database the fires are recorded in, for the headers, as soon as it is known.
    A body of more than *largest* bytes is not sent. For one thread.
    """

    def __init__(
        self,
        app: Celery,
        *,
        database: UUID | Callable[[], UUID | None] | None = None,
        confirm_timeout: float = 10.0,
        connect_timeout: float = CONNECT_TIMEOUT,
        largest: int | None = None,
        clock: Clock | None = None,
    ) -> None:
        self._app = app
        self._identity = database if callable(database) else lambda: database
        self._maker = MessageMaker(app, None, largest=largest)
        self._confirm_timeout = confirm_timeout
        self._connect_timeout = connect_timeout
        self._clock = clock or SystemClock()
        self._wire: Wire | None = None

    def send(self, fires: Sequence[Outgoing]) -> list[Receipt]:
        """Publish *fires*; return what is known of each, in order. Never raises for a broker's sake."""
        wire = self._open_wire()
        if isinstance(wire, Unconfirmed):
            return [wire] * len(fires)
        self._maker.name_database(self._identity())
        receipts: dict[int, Receipt] = {}
        parcels: list[Parcel] = []
        known = wire.publish(self._packed(fires, parcels, receipts))
        unknown = Unconfirmed(wire.lost or "the broker did not answer")
        if not wire.alive():
            self.close()
        if signals.after_task_publish.receivers:
            for parcel in parcels:
                self._tell_after(parcel, known.get(parcel.index, unknown))
        receipts |= known
        return [receipts.get(index, unknown) for index in range(len(fires))]

    def close(self) -> None:
        """End the connection. The next `send` makes another."""
        wire, self._wire = self._wire, None
        if wire is not None:
            wire.close()

    def _packed(
        self, fires: Sequence[Outgoing], parcels: list[Parcel], receipts: dict[int, Receipt]
    ) -> Iterator[Parcel]:
        """Make one parcel after the other, while those before are on their way.

        Notes the parcel in *parcels*, or in *receipts* why there is none.
        """
        for index, fire in enumerate(fires):
            try:
                message = self._maker.message(fire)
                if signals.before_task_publish.receivers:
                    self._tell_before(message)
                parcel = Parcel(index, message, self._maker.encoded(message), str(fire.celery_id))
            except CannotSend as error:
                receipts[index] = Unsendable(str(error))
            except QueueMissing as error:
                receipts[index] = Unroutable(str(error))
            else:
                parcels.append(parcel)
                yield parcel

    def _tell_before(self, message: Message) -> None:
        # Receivers may change what they are given; the recorded message is not theirs to change.
        message.payload, message.headers = deepcopy(message.payload), deepcopy(message.headers)
        signals.before_task_publish.send(
            sender=message.task,
            body=message.payload,
            exchange=message.route.exchange,
            routing_key=message.route.routing_key,
            declare=[message.route.queue] if message.route.queue is not None else [],
            headers=message.headers,
            properties=message.properties,
            retry_policy=dict(self._app.conf.task_publish_retry_policy),
        )

    def _tell_after(self, parcel: Parcel, receipt: Receipt) -> None:
        if isinstance(receipt, Confirmed):
            message = parcel.message
            signals.after_task_publish.send(
                sender=message.task,
                body=message.payload,
                headers=message.headers,
                exchange=message.route.exchange,
                routing_key=message.route.routing_key,
            )

    def _open_wire(self) -> Wire | Unconfirmed:
        wire = self._wire
        if wire is not None and wire.alive():
            return wire
        self.close()
        opened = self._connect()
        self._wire = None if isinstance(opened, Unconfirmed) else opened
        return opened

    def _connect(self) -> Wire | Unconfirmed:
        """Connect. A broker that cannot be reached is no error here, only a reason."""
        patience = self._confirm_timeout
        connection: Connection = self._app.connection_for_write(
            connect_timeout=self._connect_timeout,
            transport_options={
                "confirm_publish": False,  # it waits for each message; we wait for the batch
                "read_timeout": patience,
                "write_timeout": patience,
                "socket_timeout": patience,
                "socket_connect_timeout": self._connect_timeout,
            },
        )
        try:
            hosts = len(connection.alt) or 1
            connection.ensure_connection(
                max_retries=hosts, interval_start=0, interval_step=0, timeout=self._connect_timeout
            )
            if connection.transport.driver_type == "amqp":
                return ConfirmedWire(connection, confirm_timeout=patience, clock=self._clock)
            return ImmediateWire(connection)
        except (
            *connection.connection_errors,
            *connection.channel_errors,
            OperationalError,
            OSError,
            ValueError,  # an option, or a part of the URL, that its library cannot read
            TypeError,
        ) as error:
            reason = f"cannot connect to {connection.as_uri()}: {error}"
            connection.collect()
            return Unconfirmed(reason)
