"""A steady rate: one task due after the other, and how late each was in the broker, seen from outside.

As in a burst nothing is asked of the scheduler: the depth of the queue is looked at every few
milliseconds. The k-th message is the k-th that was due, whichever task's it is.
"""

from __future__ import annotations

import math
import time
from bisect import bisect_left
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import services
from burst import Setting
from processes import Running
from queues import Queue, own_queue
from runner import Figures

LATE = "late p99, ms"
FIRE_COST = "CPU a fire, ms"
POLL = 0.005
HEAD_START = 5.0
PATIENCE = 30.0


@dataclass(frozen=True)
class Pace:
    """How many tasks, how many of them are due each second, and for how many seconds we look."""

    n: int
    rate: float
    seconds: float

    @property
    def step(self) -> float:
        return 1 / self.rate

    @property
    def period(self) -> float:
        return self.n / self.rate

    @property
    def fires(self) -> int:
        return int(self.rate * self.seconds)


def watch(process: Running, queue: Queue, start: float, pace: Pace) -> Figures:
    """Look on while *process*, which is up, publishes what is due from *start* on."""
    time.sleep(max(0.0, start - 0.05 - time.time()))
    process.check()
    early, before = queue.depth(), process.cpu()
    arrived = [(time.time(), early)]
    end = start + pace.seconds
    used = memory = math.nan
    while arrived[-1][1] < pace.fires and time.time() < end + PATIENCE:
        time.sleep(POLL)
        depth, now = queue.depth(), time.time()
        if depth != arrived[-1][1]:
            arrived.append((now, depth))
        if math.isnan(used) and now >= end:
            used, memory = process.cpu() - before, process.memory()
    published = min(arrived[-1][1], pace.fires)
    if math.isnan(used):
        used, memory = process.cpu() - before, process.memory()
    process.check()
    late = sorted(_lateness(arrived, start, pace, published))
    in_time = sum(1 for seconds in late if seconds < 1.0)
    return {
        LATE: _quantile(late, 0.99) * 1000,
        "late p50, ms": _quantile(late, 0.50) * 1000,
        "max, ms": late[-1] * 1000 if late else math.nan,
        "a core, %": used / pace.seconds * 100,
        FIRE_COST: used / max(1, published) * 1000,
        "memory, MB": memory,
        "not within 1 s": pace.fires - in_time,
        "early": early,
    }


def _lateness(arrived: list[tuple[float, int]], start: float, pace: Pace, published: int) -> list[float]:
    depths = [depth for _, depth in arrived]
    return [
        arrived[bisect_left(depths, number + 1)][0] - (start + number * pace.step)
        for number in range(published)
    ]


def _quantile(late: list[float], part: float) -> float:
    return late[min(int(len(late) * part), len(late) - 1)] if late else math.nan


def measure(start_one: Callable[[Setting], Running], pace: Pace, head_start: float) -> Figures:
    """Make one round of a contestant that needs no store of ours."""
    folder = TemporaryDirectory(prefix="taskcfg-bench-")
    with own_queue("rabbitmq") as queue, services.own_database() as database, folder as path:
        setting = Setting(math.ceil(time.time() + head_start), pace.n, queue, database, Path(path))
        with start_one(setting) as process:
            return watch(process, queue, setting.due, pace)
