"""The two sides of the embedded broker's stress suite, as processes that may be killed at any moment.

    python embedded_stress.py publish BROKER LOG SECONDS
    python embedded_stress.py consume BROKER LOG

Each writes what it does, and when it did it, to a log of its own, one line a step: a kill tears no line.
"""

from __future__ import annotations

import itertools
import os
import random
import sys
import time
from pathlib import Path
from typing import Any

from kombu import Connection, Consumer, Message, Producer, Queue

from taskcfg import transport
from taskcfg.transport.broker_file import BrokerFileError

QUEUE = "stress"
LARGEST = 2**20
"""Bytes of the largest message: the whole file is some of them long."""


class Journal:
    """Lines of one process, each in the file before the next step is taken."""

    def __init__(self, path: Path) -> None:
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)

    def __call__(self, *words: object) -> None:
        os.write(self._file, (" ".join(map(str, words)) + "\n").encode())


def publish(broker: Path, journal: Journal, name: str, seconds: float) -> None:
    """Publish transactions of one to ten messages, small and large, until the time is over."""
    chance = random.Random(name)
    end = time.monotonic() + seconds
    with Connection(transport.url_for(broker)) as connection:
        channel = connection.channel()
        queue = Queue(QUEUE, channel=channel)
        queue.declare()
        channel.tx_select()
        producer = Producer(channel, routing_key=QUEUE)
        for number in itertools.count():
            if time.monotonic() > end:
                return
            ids = [f"{name}.{number}.{place}" for place in range(chance.randint(1, 10))]
            journal("begin", number, *ids)
            for id_ in ids:
                producer.publish({"id": id_, "filler": _filler(chance)}, priority=chance.randint(0, 9))
            try:
                channel.tx_commit()
            except BrokerFileError:
                channel.tx_rollback()
                journal("refused", number)
                time.sleep(0.05)
            else:
                journal("stored", number)


def consume(broker: Path, journal: Journal) -> None:
    """Take messages and acknowledge each when it is done, until killed; come again when sent away."""
    while True:
        try:
            _consume(broker, journal)
        except BrokerFileError as error:
            journal("away", type(error).__name__)
            time.sleep(0.1)


def _consume(broker: Path, journal: Journal) -> None:
    def work(body: Any, message: Message) -> None:
        journal("took", body["id"], int(message.delivery_info["redelivered"]))
        assert body["filler"].count("x") == len(body["filler"])
        journal("did", body["id"])
        message.ack()
        journal("acked", body["id"])

    with Connection(transport.url_for(broker)) as connection:
        channel = connection.channel()
        consumer = Consumer(channel, [Queue(QUEUE)], callbacks=[work], prefetch_count=8)
        with consumer:
            while True:
                try:
                    connection.drain_events(timeout=1)
                except TimeoutError:
                    continue


def _filler(chance: random.Random) -> str:
    return "x" * (chance.randrange(LARGEST) if chance.random() < 0.02 else chance.randrange(500))


def main() -> None:
    transport.register()
    what, broker, log, *rest = sys.argv[1:]
    if what == "publish":
        publish(Path(broker), Journal(Path(log)), Path(log).name, float(rest[0]))
    else:
        consume(Path(broker), Journal(Path(log)))


if __name__ == "__main__":
    main()
