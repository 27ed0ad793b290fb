"""Connections to an embedded broker's file without kombu, and children forked beside them."""

from __future__ import annotations

import os
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from taskcfg.testing import FakeClock
from taskcfg.transport.broker_file import BrokerFile
from taskcfg.transport.consumer import Consumer
from taskcfg.transport.sqlite_queue import Outgoing, SqliteQueue
from taskcfg.transport.topology import Topology


class Broker:
    """One process's connection, with all its parts."""

    def __init__(self, path: Path, clock: FakeClock, max_bytes: int | None = None) -> None:
        self.file = BrokerFile(path, clock=clock, busy_timeout=0.05, max_bytes=max_bytes)
        self.queue = SqliteQueue(self.file)
        self.topology = Topology(self.file)
        self.consumer = Consumer(self.file)

    def put(self, *bodies: str, priority: int = 0) -> None:
        self.queue.put([Outgoing("work", body, priority) for body in bodies])

    def take(self, limit: int = 100) -> list[str]:
        return [delivery.body for delivery in self.consumer.take(["work"], limit)]


class Brokers:
    """Opens connections to one file, and closes them."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.clock = FakeClock()
        self.opened: list[Broker] = []

    def __call__(self, max_bytes: int | None = None) -> Broker:
        self.opened.append(Broker(self.path, self.clock, max_bytes))
        return self.opened[-1]

    def close(self) -> None:
        for broker in self.opened:
            broker.file.close()


@contextmanager
def child(work: Callable[[], object]) -> Iterator[None]:
    """Do *work* in a forked child, which then ends without a farewell; fail if it raises."""
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            work()
            code = 0
        except BaseException:  # noqa: BLE001 - the child must not go on as a second pytest
            traceback.print_exc()
        finally:
            os._exit(code)
    yield
    _, status = os.waitpid(pid, 0)
    assert os.waitstatus_to_exitcode(status) == 0


def in_child(work: Callable[[], object]) -> None:
    """The same, waiting for its end."""
    with child(work):
        pass
