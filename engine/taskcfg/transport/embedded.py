"""kombu's transport `embedded`: connections to a broker file, and the waiting for messages."""

from __future__ import annotations

import logging
import sqlite3
from pathlib import Path
from queue import Empty
from typing import Any

from kombu.transport import virtual
from kombu.utils.url import url_to_parts

from taskcfg.clock import SystemClock
from taskcfg.transport import SCHEME, url_for
from taskcfg.transport.broker_file import BUSY_TIMEOUT, BrokerFile, BrokerFileError
from taskcfg.transport.channel import Channel
from taskcfg.transport.consumer import LEASE, Consumer
from taskcfg.transport.doorbell import Doorbell
from taskcfg.transport.sqlite_queue import SqliteQueue
from taskcfg.transport.topology import Topology
from taskcfg.transport.watch import Watch

DELIVERIES_PER_TURN = 100  # then the worker's event loop has its turn

logger = logging.getLogger("taskcfg.transport")


class Transport(virtual.Transport):  # type: ignore[misc]  # kombu is skipped by the type checker
    """One connection to a broker file.

    `transport_options`: `polling_interval` (0.03), `lease` (5.0) and `busy_timeout` (10.0) in
    seconds, `max_bytes` of the file (no limit).
    """

    Channel = Channel
    can_parse_url = True
    polling_interval = 0.03
    driver_type = SCHEME
    driver_name = "sqlite3"
    connection_errors = (*virtual.Transport.connection_errors, BrokerFileError)
    implements = virtual.Transport.implements.extend(
        asynchronous=True, exchange_type=frozenset(["direct", "topic", "fanout"])
    )

    def __init__(self, client: Any, **kwargs: Any) -> None:
        super().__init__(client, **kwargs)
        self._path = file_of(client.hostname, client.virtual_host)
        self._options = client.transport_options
        self._clock = SystemClock()
        self._doorbell = Doorbell()
        self._loop: Any = None
        self._watch: Watch | None = None
        self._open_file()

    def _open_file(self) -> None:
        self.file = BrokerFile(
            self._path,
            busy_timeout=self._options.get("busy_timeout", BUSY_TIMEOUT),
            max_bytes=self._options.get("max_bytes"),
        )
        self.topology = Topology(self.file)
        self.queue = SqliteQueue(self.file)
        self.consumer = Consumer(self.file, lease=self._options.get("lease", LEASE))

    @property
    def default_connection_params(self) -> dict[str, Any]:
        return {}

    def driver_version(self) -> str:
        return sqlite3.sqlite_version

    def as_uri(self, uri: str, include_password: bool = False, mask: str = "**") -> str:
        return uri if "://" in uri else url_for(self.file.path)

    def establish_connection(self) -> Transport:
        if not self.file.is_usable:
            self.close_connection(self)
            self._open_file()
        with self.file.reading():
            pass  # makes it if need be, or raises what is wrong with it
        super().establish_connection()
        return self

    def verify_connection(self, connection: Any) -> bool:
        return self.file.is_usable

    def close_connection(self, connection: Any) -> None:
        self.unregister_from_event_loop(connection, self._loop)
        self._stop_watching()
        try:
            super().close_connection(connection)
            self.consumer.leave()
        except BrokerFileError as error:
            logger.warning("broker.close_failed reason=%r", error.message)
        finally:
            self.file.close()
            self.channels.clear()
            self._avail_channels.clear()
            self._callbacks.clear()

    def start_watching(self) -> None:
        """Keep what this connection takes, and look for messages, from now on."""
        if self._watch is None:
            self._watch = Watch(
                self.file, self.consumer, interval=self.polling_interval, ring=self._doorbell.ring
            )

    def rest(self) -> None:
        """Stop watching if no channel consumes any more, or holds a message."""
        if not any(channel.is_consuming for channel in self.channels):
            self._stop_watching()
            self.consumer.leave()

    def _stop_watching(self) -> None:
        watch, self._watch = self._watch, None
        if watch is not None:
            watch.stop()

    def ring(self) -> None:
        """There may be messages, or room for them: look at once. May be called from any thread."""
        self._doorbell.ring()

    def register_with_event_loop(self, connection: Any, loop: Any) -> None:
        self._loop = loop
        self._doorbell.answer_in(loop, self._take_turn)

    def unregister_from_event_loop(self, connection: Any, loop: Any) -> None:
        self._loop = None
        self._doorbell.silence()

    def drain_events(self, connection: Any, timeout: float | None = None) -> None:
        """Deliver one message; raise TimeoutError if none came within *timeout* seconds."""
        deadline = None if timeout is None else self._clock.monotonic() + timeout
        while not self._deliver_one():
            left = 1.0 if deadline is None else deadline - self._clock.monotonic()
            if left <= 0:
                raise TimeoutError("timed out")
            self._doorbell.wait(min(left, 1.0))

    def _take_turn(self) -> None:
        """Deliver what there is, in a worker's event loop, which then has its own turn again."""
        for _ in range(DELIVERIES_PER_TURN):
            if self._loop is None or not self._deliver_one():
                return
        self._doorbell.ring()

    def _deliver_one(self) -> bool:
        if self._watch is not None and self._watch.failure is not None:
            raise self._watch.failure
        try:
            self.cycle.get(self._deliver)
        except Empty:
            return False
        return True


def file_of(hostname: str | None, virtual_host: str | None) -> Path:
    """Return the path that a broker URL names, or else *virtual_host* itself.

    Raises ValueError for a URL that names no file, or has a host, as with too few slashes.
    """
    if hostname and "://" in hostname:
        parts = url_to_parts(hostname)
        if parts.hostname or not parts.path:
            raise ValueError(
                f"{hostname} names no file: write {SCHEME}:///folder/broker.db, with three slashes"
            )
        return Path(parts.path)
    return Path(virtual_host or "")
