"""A burst: n tasks due at one instant, one scheduler process, and what reached the broker when.

Nothing is asked of the scheduler under test: the depth of the queue is watched from outside, every few
milliseconds, for every contestant alike. A fire is late by the time from the instant it was due until
the queue was that deep. The messages are read back only after the run, so that no consumer competes
for the cores.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Protocol

import services
from processes import Running
from queues import Queue, own_queue
from runner import Figures

HEAD_START = 5.0
"""Seconds that a scheduler process gets to be up and idle before the instant."""

POLL = 0.01
PATIENCE = 400.0
QUIET = 15.0
"""A queue that has not grown for so many seconds will not."""

MAIN = "in the broker, s"


@dataclass(frozen=True)
class Setting:
    """Where and when: `due` is a Unix time, `folder` is the contestant's own.

    With a `canary` there is one more task, overdue when the scheduler starts.
    """

    due: float
    n: int
    queue: Queue
    database: str
    folder: Path
    canary: bool = False


class Contestant(Protocol):
    """Someone who can fire n tasks at one instant."""

    def fill(self, setting: Setting) -> None:
        """Put the tasks into its store; not measured."""

    def start(self, setting: Setting) -> Running:
        """Start its scheduler: one process, or several to be seen as one."""

    def recorded(self, setting: Setting) -> Figures:
        """Wait until it has written down all it wants to, and return figures about that."""

    def clean(self, setting: Setting) -> None: ...


class Allowance:
    """How many seconds before the instant a contestant must begin to fill its store; it learns."""

    def __init__(self, n: int) -> None:
        self.seconds = HEAD_START + 3.0 + n / 1000

    def too_little(self) -> None:
        self.seconds = self.seconds * 1.7


def measure(contestant: Contestant, n: int, broker: str, allowance: Allowance) -> Figures:
    """Make one burst. A store that takes too long to fill is filled again for a later instant."""
    while True:
        due = float(math.ceil(time.time() + allowance.seconds))
        with _setting(due, n, broker) as setting:
            try:
                contestant.fill(setting)
                services.settle(setting.database)
                if due - time.time() >= HEAD_START:
                    return _burst(contestant, setting)
            finally:
                contestant.clean(setting)
        allowance.too_little()


@contextmanager
def _setting(due: float, n: int, broker: str) -> Iterator[Setting]:
    folder: AbstractContextManager[str] = TemporaryDirectory(prefix="taskcfg-bench-")
    with own_queue(broker) as queue, services.own_database() as database, folder as path:
        yield Setting(due, n, queue, database, Path(path))


def _burst(contestant: Contestant, setting: Setting) -> Figures:
    due, n = setting.due, setting.n
    time.sleep(max(0.0, due - HEAD_START - time.time()))
    with contestant.start(setting) as process:
        time.sleep(max(0.0, due - 0.3 - time.time()))
        process.check()
        early, before = setting.queue.depth(), process.cpu()
        time.sleep(max(0.0, due - time.time()))
        depths = _watch(setting, process)
        used = process.cpu() - before
        recorded = contestant.recorded(setting) if depths[-1][1] >= n else {}
        used = process.cpu() - before if recorded else used
        memory = process.memory()
    found = setting.queue.drain()
    return {
        MAIN: depths[-1][0] - due,
        "late p50, s": _reached(depths, n * 0.50) - due,
        "late p99, s": _reached(depths, n * 0.99) - due,
        "CPU a fire, ms": used / max(1, len(found)) * 1000,
        **recorded,
        **verdict(found, n),
        "early": early,
        "memory, MB": memory,
    }


def verdict(found: Sequence[tuple[Any, str]], n: int) -> Figures:
    """Return what is wrong with the messages *found* of *n* tasks that were each due once.

    A message with the id of another is one that was sent again, since nobody knew whether it had
    arrived: the gate refuses it. Two ids for one task are two fires.
    """
    fires = set(found)
    return {
        "doubled": len(fires) - len({argument for argument, _ in fires}),
        "sent again": len(found) - len(fires),
        "lost": n - len({argument for argument, _ in fires}),
    }


def _watch(setting: Setting, process: Running) -> list[tuple[float, int]]:
    """Return when the queue was how deep, ending when all is there or nothing more comes."""
    depths = [(time.time(), setting.queue.depth())]
    while depths[-1][1] < setting.n:
        time.sleep(POLL)
        depth, now = setting.queue.depth(), time.time()
        if depth != depths[-1][1]:
            depths.append((now, depth))
        elif now > depths[-1][0] + QUIET or now > setting.due + PATIENCE:
            break
        process.check()
    return depths


def _reached(depths: list[tuple[float, int]], depth: float) -> float:
    return next((moment for moment, there in depths if there >= depth), math.nan)


def conf_file(setting: Setting, peer: str, **more: object) -> Path:
    """Write the file that `programs/peer_app.py` reads."""
    document = {
        "peer": peer,
        "due": setting.due,
        "n": setting.n,
        "queue": setting.queue.name,
        "broker": setting.queue.broker,
        "database": setting.database,
        "canary": setting.canary,
        **more,
    }
    path = setting.folder / "bench.json"
    path.write_text(json.dumps(document), encoding="utf-8")
    return path
