"""The consuming side: what a connection took is its own while its lease lasts.

One row stands for one consuming connection. Its lease is renewed by a heartbeat; when it is
over, or its process is gone, anybody may delete the row, and everything the consumer held is
ready again.
"""

from __future__ import annotations

import contextlib
import logging
import os
import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from taskcfg.transport.broker_file import BrokerFile, BrokerFileError
from taskcfg.transport.process_identity import Presence, ProcessIdentity, presence, this_process
from taskcfg.transport.topology import drop_queue, leave_queue

LEASE = 5.0  # seconds without a heartbeat after which a consumer counts as dead
FROZEN = 30.0  # seconds more for one whose process is seen to live: stopped, or starved

logger = logging.getLogger("taskcfg.transport")


class LostLease(BrokerFileError):
    """The consumer was taken for dead, and what it held is given to others."""

    def __init__(self, path: Path) -> None:
        super().__init__(path, "this consumer was taken for dead, and what it held is given to others")


@dataclass(frozen=True)
class Receipt:
    """Which delivery of which message this is."""

    consumer: int
    message: int


@dataclass(frozen=True)
class Delivery:
    """A message handed out; `redelivered` if an earlier consumer did not finish it."""

    receipt: Receipt
    queue: str
    body: str
    redelivered: bool


class Consumer:
    """One connection's side of consuming. All methods raise BrokerFileError, LostLease among them.

    Safe to use from several threads. A forked child is another consumer, which holds nothing.
    """

    def __init__(self, file: BrokerFile, *, lease: float = LEASE) -> None:
        self._file = file
        self._lease = lease
        self._pid = 0
        self._id = 0
        self._is_lost = False
        self._subscriptions: dict[str, int] = {}
        self._unsettled: set[Receipt] = set()

    def subscribe(self, queue: str) -> None:
        """Say that this connection consumes from the queue; from now on `beat` must be called."""
        me = self._registered()
        with self._file.writing() as database, self._leased():
            database.execute("INSERT INTO subscription VALUES (?, ?) ON CONFLICT DO NOTHING", (me, queue))
            database.execute("UPDATE queue SET unused_since = NULL WHERE name = ?", (queue,))
        self._subscriptions[queue] = self._subscriptions.get(queue, 0) + 1

    def unsubscribe(self, queue: str) -> None:
        """Take one `subscribe` back; with the last one the queue is left, and perhaps deleted."""
        if not self._is_mine():
            return
        self._subscriptions[queue] = left = max(self._subscriptions.get(queue, 0) - 1, 0)
        if not left:
            with self._file.writing() as database:
                row = (self._id, queue)
                database.execute("DELETE FROM subscription WHERE consumer = ? AND queue = ?", row)
                leave_queue(database, queue, self._file.clock.monotonic())

    def take(self, queues: Sequence[str], limit: int) -> list[Delivery]:
        """Take up to *limit* messages, the first queue's first; they are ours until `ack` or `restore`."""
        if not self._any_ready(queues):
            return []
        me = self._registered()
        taken: list[Delivery] = []
        with self._file.writing() as database, self._leased():
            for queue in queues:
                rows = self._ready(database, queue, limit - len(taken))
                taken.extend(Delivery(Receipt(me, id), queue, body, count > 0) for id, body, count in rows)
            database.executemany(
                "UPDATE message SET consumer = ?, deliveries = deliveries + 1 WHERE id = ?",
                [(me, delivery.receipt.message) for delivery in taken],
            )
        return taken

    def take_away(self, queue: str) -> Delivery | None:
        """Take one message out for good: it needs no acknowledgement, and is lost with its taker."""
        if not self._any_ready([queue]):
            return None
        with self._file.writing() as database:
            for id, body, count in self._ready(database, queue, 1):
                database.execute("DELETE FROM message WHERE id = ?", (id,))
                return Delivery(Receipt(0, id), queue, body, count > 0)
        return None

    def ack(self, receipt: Receipt) -> None:
        """Delete a message that is done, unless another consumer has got it by now.

        If the file is locked or the disk full, that is done later, by `beat` or `leave`.
        """
        self._unsettled.add(receipt)
        try:
            self._settle()
        except BrokerFileError as error:
            if not error.transient:
                raise
            logger.warning("broker.ack_delayed message=%d reason=%r", receipt.message, error.message)

    def restore(self, receipts: Sequence[Receipt]) -> None:
        """Give messages back, each to its old place in the queue, for anybody to take.

        Does nothing in a forked child: what the parent took is still the parent's.
        """
        if not self._is_mine():
            return
        with self._file.writing() as database:
            database.executemany(
                "UPDATE message SET consumer = NULL WHERE id = ? AND consumer = ?",
                [(receipt.message, receipt.consumer) for receipt in receipts],
            )

    def beat(self) -> None:
        """Renew the lease, free what dead consumers held, drop what has expired.

        To be called every second or so. Raises LostLease if the renewal came too late.
        """
        if self._is_mine():
            self._renew()
        if self._unsettled:
            self._settle()
        self.release_dead()
        self._drop_expired()

    def release_dead(self) -> int:
        """Make ready what consumers held that are dead; return how many of those there were."""
        with self._file.reading() as database:
            rows = database.execute(
                "SELECT id, lease_until, boot, namespace, pid, started FROM consumer"
            ).fetchall()
        here = this_process()
        now = self._file.clock.monotonic()
        dead = [row for row in rows if _is_dead(now - row[1], presence(ProcessIdentity(*row[2:]), here))]
        for consumer, lease_until, *_ in dead:
            held = self._remove(consumer, lease_until)
            if held:
                logger.warning("broker.consumer_dead consumer=%d messages=%d", consumer, held)
        return len(dead)

    def leave(self) -> None:
        """Give back all that is held and stop being a consumer. Does nothing in a forked child."""
        if not self._is_mine():
            return
        if self._unsettled:
            self._settle()
        self._remove(self._id, None)
        self._pid = 0

    def _check(self) -> None:
        if self._is_lost:
            raise LostLease(self._file.path)

    def _is_mine(self) -> bool:
        return self._pid == os.getpid()

    def _registered(self) -> int:
        """Return the id of our row, made if this process has none yet."""
        self._check()
        if not self._is_mine():
            self.release_dead()
            me = this_process()
            lease_until = self._file.clock.monotonic() + self._lease
            with self._file.writing() as database:
                cursor = database.execute(
                    "INSERT INTO consumer (boot, namespace, pid, started, lease_until)"
                    " VALUES (?, ?, ?, ?, ?)",
                    (me.boot, me.namespace, me.pid, me.started, lease_until),
                )
            self._pid, self._id = me.pid, cursor.lastrowid or 0
            self._subscriptions.clear()
            self._unsettled.clear()
        return self._id

    @contextlib.contextmanager
    def _leased(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.IntegrityError:
            self._is_lost = True
            raise LostLease(self._file.path) from None

    def _renew(self) -> None:
        lease_until = self._file.clock.monotonic() + self._lease
        with self._file.writing() as database:
            cursor = database.execute(
                "UPDATE consumer SET lease_until = ? WHERE id = ?", (lease_until, self._id)
            )
        if not cursor.rowcount:
            self._is_lost = True
            raise LostLease(self._file.path)

    def _settle(self) -> None:
        done = list(self._unsettled)
        with self._file.writing() as database:
            database.executemany(
                "DELETE FROM message WHERE id = ? AND (consumer = ? OR consumer IS NULL)",
                [(receipt.message, receipt.consumer) for receipt in done],
            )
        self._unsettled.difference_update(done)

    def _remove(self, consumer: int, lease_until: float | None) -> int:
        """Delete the consumer, unless it renewed its lease meanwhile; return how many messages it held."""
        now = self._file.clock.monotonic()
        row = {"id": consumer, "lease": lease_until}
        with self._file.writing() as database:
            (held,) = database.execute("SELECT count(*) FROM message WHERE consumer = :id", row).fetchone()
            queues = database.execute("SELECT queue FROM subscription WHERE consumer = :id", row).fetchall()
            removed = database.execute(
                "DELETE FROM consumer WHERE id = :id AND (:lease IS NULL OR lease_until = :lease)", row
            ).rowcount
            for (queue,) in queues if removed else ():
                leave_queue(database, queue, now)
        return int(held) if removed else 0

    def _any_ready(self, queues: Sequence[str]) -> bool:
        self._check()
        with self._file.reading() as database:
            return any(
                database.execute(
                    "SELECT 1 FROM message WHERE queue = ? AND consumer IS NULL LIMIT 1", (queue,)
                ).fetchone()
                for queue in queues
            )

    def _ready(self, database: sqlite3.Connection, queue: str, limit: int) -> list[tuple[int, str, int]]:
        return database.execute(
            "SELECT id, body, deliveries FROM message WHERE queue = ? AND consumer IS NULL"
            " AND (expires_at IS NULL OR expires_at > ?) ORDER BY priority DESC, id LIMIT ?",
            (queue, self._file.clock.now().timestamp(), limit),
        ).fetchall()

    def _drop_expired(self) -> None:
        # A time in the future was written before the machine was started anew.
        queues = (
            "SELECT name FROM queue WHERE expires IS NOT NULL"
            " AND (unused_since + expires < ?1 OR unused_since > ?1)"
        )
        messages = "SELECT id FROM message WHERE expires_at <= ? AND consumer IS NULL"
        now, wall = self._file.clock.monotonic(), self._file.clock.now().timestamp()
        with self._file.reading() as database:
            if not any(database.execute(q, (at,)).fetchone() for q, at in ((queues, now), (messages, wall))):
                return
        with self._file.writing() as database:
            database.execute(f"DELETE FROM message WHERE id IN ({messages})", (wall,))
            for (queue,) in database.execute(queues, (now,)).fetchall():
                drop_queue(database, queue)


def _is_dead(overdue: float, process: Presence) -> bool:
    """Judge a consumer whose lease ended *overdue* seconds ago, or ends that long from now if negative."""
    if process is Presence.GONE:
        return True
    return overdue > (FROZEN if process is Presence.RUNNING else 0)
