"""Messages that wait on a broker, copied as a broker that repeats itself would deliver them."""

import sqlite3
from contextlib import closing

from kombu import Connection

from chaos.brokers import BrokerControl, FileBroker

QUEUE = "celery"


def copy_waiting(broker: BrokerControl, times: int) -> int:
    """Put each waiting message on the queue *times* times in all, byte for byte; return how many wait."""
    if isinstance(broker, FileBroker):
        return _copy_rows(broker, times)
    with Connection(broker.url) as connection, connection.channel() as channel:
        messages = []
        while (message := channel.basic_get(QUEUE, no_ack=True)) is not None:
            messages.append(message)
        for message in messages * times:
            channel.basic_publish(message, exchange="", routing_key=QUEUE)
        return len(messages) * times


def waiting(broker: BrokerControl) -> int:
    """Count the messages that nobody has taken."""
    if isinstance(broker, FileBroker):
        with closing(sqlite3.connect(broker.file)) as file:
            (count,) = file.execute("SELECT count(*) FROM message WHERE queue = ?", [QUEUE]).fetchone()
            return int(count)
    with Connection(broker.url) as connection, connection.channel() as channel:
        return int(channel.queue_declare(QUEUE, passive=True).message_count)


def _copy_rows(broker: FileBroker, times: int) -> int:
    with closing(sqlite3.connect(broker.file, isolation_level=None, timeout=30)) as file:
        (count,) = file.execute("SELECT count(*) FROM message WHERE queue = ?", [QUEUE]).fetchone()
        for _ in range(times - 1):
            file.execute(
                "INSERT INTO message (queue, priority, expires_at, body) "
                "SELECT queue, priority, expires_at, body FROM message WHERE queue = ? ORDER BY id LIMIT ?",
                [QUEUE, count],
            )
        return int(count) * times
