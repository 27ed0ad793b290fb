"""From the start of a scheduler's process to its first fire, with 100,000 tasks registered and with 1,000."""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import contestants
import runner
import services
from burst import Setting
from filled import Filled, filled
from processes import Failed, Running
from queues import Queue, own_queue
from runner import Benchmark, Column, Figures

MAIN = "first fire after, s"
POLL = 0.002
PATIENCE = 120.0
FAR = 7200.0
"""Seconds until the other tasks are due."""


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--n", type=int, default=100_000, help="tasks registered (default 100000)")
    parser.add_argument("--few", type=int, default=1_000, help="tasks registered beside (default 1000)")


def benchmarks(options: argparse.Namespace, stack: ExitStack) -> list[Benchmark]:
    services.require_postgres()
    services.require_rabbitmq()
    columns = [
        Column(f"taskcfg, {n:,} registered", _ours(n, stack)) for n in (options.few, options.n)
    ]  # fmt: skip
    rivals: dict[str, contestants.Peer] = {
        "django-celery-beat": contestants.DjangoCeleryBeat(),
        "APScheduler, PostgreSQL": contestants.ApschedulerPostgres(),
    }
    columns += [
        Column(f"{name}, {options.n:,}", _peers(peer, options.n), peer.missing())
        for name, peer in rivals.items()
    ]
    return [
        Benchmark(
            title="start of the scheduler's process to the first message of a task that is due; RabbitMQ",
            main=MAIN,
            columns=columns,
            against=(columns[0].name, columns[1].name),
            goal=f"{options.n:,}: at most 1.2 x {options.few:,}; django-celery-beat at least 5 x that",
        )
    ]


def _ours(n: int, stack: ExitStack) -> Callable[[], Figures]:
    @cache
    def store() -> Filled:
        full = stack.enter_context(filled(n, 86_400.0, spread=False))
        full.all_due_at(time.time() + 86_400.0)
        return full

    def measure() -> Figures:
        full = store()
        full.make_canary_due()
        figures = _first_fire(lambda: full.project.start("scheduler"), full.queue)
        full.queue.drain()
        return figures

    return measure


def _peers(peer: contestants.Peer, n: int) -> Callable[[], Figures]:
    def measure() -> Figures:
        folder = TemporaryDirectory(prefix="taskcfg-bench-")
        with own_queue("rabbitmq") as queue, services.own_database() as database, folder as path:
            setting = Setting(time.time() + FAR, n, queue, database, Path(path), canary=True)
            try:
                peer.fill(setting)
                services.settle(database)
                return _first_fire(lambda: peer.start(setting), queue)
            finally:
                peer.clean(setting)

    return measure


def _first_fire(start: Callable[[], Running], queue: Queue) -> Figures:
    began = time.time()
    with start() as process:
        while not queue.depth():
            if time.time() - began > PATIENCE:
                raise Failed(f"nothing was published within {PATIENCE:g} s")
            process.check()
            time.sleep(POLL)
        return {MAIN: time.time() - began, "CPU, s": process.cpu(), "memory, MB": process.memory()}


def main(argv: Sequence[str] | None = None) -> list[dict[str, object]]:
    return runner.main(benchmarks, rounds=5, arguments=arguments, argv=argv, description=__doc__)


if __name__ == "__main__":
    main()
