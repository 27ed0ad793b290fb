"""Exchanges, queues and the bindings between them: known to every process, unlike kombu's own."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass

from taskcfg.transport.broker_file import BrokerFile


@dataclass(frozen=True)
class Binding:
    """What leads from an exchange to a queue; `pattern` is a regular expression, for topics."""

    routing_key: str
    pattern: str | None
    queue: str


class Topology:
    """Where messages can go. All methods raise BrokerFileError."""

    def __init__(self, file: BrokerFile) -> None:
        self._file = file

    def declare_exchange(self, name: str, type: str) -> str:
        """Make the exchange unless it is there; return the type that it has."""
        existing = self.exchange_type(name)
        if existing is not None:
            return existing
        with self._file.writing() as database:
            database.execute(
                "INSERT INTO exchange (name, type) VALUES (?, ?) ON CONFLICT DO NOTHING", (name, type)
            )
        return self.exchange_type(name) or type

    def exchange_type(self, name: str) -> str | None:
        """Return the exchange's type, None if it was never declared."""
        with self._file.reading() as database:
            row = database.execute("SELECT type FROM exchange WHERE name = ?", (name,)).fetchone()
        return row and str(row[0])

    def delete_exchange(self, name: str) -> None:
        """Delete the exchange and what binds queues to it; the queues stay."""
        with self._file.writing() as database:
            database.execute("DELETE FROM binding WHERE exchange = ?", (name,))
            database.execute("DELETE FROM exchange WHERE name = ?", (name,))

    def declare_queue(
        self, name: str, *, auto_delete: bool, expires: float | None, message_ttl: float | None
    ) -> None:
        """Make the queue unless it is there.

        It is deleted with all it holds when its last consumer has left, if `auto_delete`,
        or after `expires` seconds without a consumer; a message in it is dropped after
        `message_ttl` seconds.
        """
        if expires is None and self.has_queue(name):
            return
        with self._file.writing() as database:
            database.execute(
                "INSERT INTO queue (name, auto_delete, expires, message_ttl, unused_since)"
                " VALUES (?, ?, ?, ?, ?) ON CONFLICT DO UPDATE"
                " SET unused_since = excluded.unused_since WHERE unused_since IS NOT NULL",
                (name, auto_delete, expires, message_ttl, self._file.clock.monotonic()),
            )

    def has_queue(self, name: str) -> bool:
        """Tell whether the queue was declared and still stands."""
        with self._file.reading() as database:
            return database.execute("SELECT 1 FROM queue WHERE name = ?", (name,)).fetchone() is not None

    def consumers(self, queue: str) -> int:
        """Return how many connections consume from the queue."""
        with self._file.reading() as database:
            row = database.execute("SELECT count(*) FROM subscription WHERE queue = ?", (queue,)).fetchone()
        return int(row[0])

    def delete_queue(self, name: str) -> None:
        """Delete the queue, its bindings, and every message in it, also those being worked on."""
        with self._file.writing() as database:
            drop_queue(database, name)

    def bind(self, exchange: str, binding: Binding) -> None:
        """Lead what fits *binding* from the exchange to its queue, which is declared if it is not yet."""
        if binding in self.bindings(exchange):
            return
        with self._file.writing() as database:
            database.execute(
                "INSERT INTO queue (name, auto_delete) VALUES (?, 0) ON CONFLICT DO NOTHING", (binding.queue,)
            )
            database.execute(
                "INSERT INTO binding (exchange, routing_key, queue, pattern) VALUES (?, ?, ?, ?)"
                " ON CONFLICT DO NOTHING",
                (exchange, binding.routing_key, binding.queue, binding.pattern),
            )

    def unbind(self, exchange: str, binding: Binding) -> None:
        """Take the binding away, if it is there."""
        with self._file.writing() as database:
            database.execute(
                "DELETE FROM binding WHERE exchange = ? AND routing_key = ? AND queue = ?",
                (exchange, binding.routing_key, binding.queue),
            )

    def bindings(self, exchange: str) -> list[Binding]:
        """Return the exchange's bindings."""
        with self._file.reading() as database:
            rows = database.execute(
                "SELECT routing_key, pattern, queue FROM binding WHERE exchange = ?", (exchange,)
            ).fetchall()
        return [Binding(*row) for row in rows]

    def all_bindings(self) -> list[tuple[str, Binding]]:
        """Return every binding, each with its exchange."""
        with self._file.reading() as database:
            rows = database.execute("SELECT exchange, routing_key, pattern, queue FROM binding").fetchall()
        return [(row[0], Binding(*row[1:])) for row in rows]


def drop_queue(database: sqlite3.Connection, name: str) -> None:
    """Delete the queue, its bindings and its messages, inside the caller's transaction."""
    database.execute("DELETE FROM message WHERE queue = ?", (name,))
    database.execute("DELETE FROM queue WHERE name = ?", (name,))


def leave_queue(database: sqlite3.Connection, name: str, now: float) -> None:
    """Draw the conclusions, inside the caller's transaction, after a consumer left the queue."""
    if database.execute("SELECT 1 FROM subscription WHERE queue = ?", (name,)).fetchone():
        return
    database.execute("UPDATE queue SET unused_since = ? WHERE name = ?", (now, name))
    if database.execute("SELECT 1 FROM queue WHERE name = ? AND auto_delete", (name,)).fetchone():
        drop_queue(database, name)
