"""The queues themselves: putting messages in, counting and purging them. No kombu here."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from taskcfg.transport.broker_file import BrokerFile


@dataclass(frozen=True)
class Outgoing:
    """A message for one queue. The highest `priority` goes first, equal ones in order of arrival.

    `expiration` is in seconds from now; the message is dropped if nobody took it by then.
    """

    queue: str
    body: str
    priority: int = 0
    expiration: float | None = None


class SqliteQueue:
    """The queues of one broker file, from the publisher's side. All methods raise BrokerFileError."""

    def __init__(self, file: BrokerFile) -> None:
        self._file = file

    def put(self, messages: Sequence[Outgoing]) -> None:
        """Store *messages*, all or none; when this returns, they outlive the kill of any process."""
        self._file.keep_reserve(sum(len(message.body) for message in messages))
        now = self._file.clock.now().timestamp()
        with self._file.writing() as database:
            database.executemany(
                # the sooner of the message's own end and its queue's; min() skips NULL
                "INSERT INTO message (queue, priority, body, expires_at) VALUES (:queue, :priority, :body,"
                " (SELECT min(at) FROM (SELECT :now + :expiration AS at UNION ALL"
                " SELECT :now + message_ttl FROM queue WHERE name = :queue)))",
                [
                    {
                        "queue": message.queue,
                        "priority": message.priority,
                        "body": message.body,
                        "expiration": message.expiration,
                        "now": now,
                    }
                    for message in messages
                ],
            )

    def size(self, queue: str) -> int:
        """Return how many messages wait in the queue, not counting those being worked on."""
        with self._file.reading() as database:
            row = database.execute(
                "SELECT count(*) FROM message WHERE queue = ? AND consumer IS NULL", (queue,)
            ).fetchone()
        return int(row[0])

    def purge(self, queue: str) -> int:
        """Delete the messages that wait in the queue; return how many."""
        with self._file.writing() as database:
            cursor = database.execute("DELETE FROM message WHERE queue = ? AND consumer IS NULL", (queue,))
            return cursor.rowcount
