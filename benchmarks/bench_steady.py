"""100,000 tasks registered and 500 fires a second, beside 1,000 registered, the limit, and the peers."""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from functools import cache, partial

import contestants
import runner
import services
from burst import Setting
from filled import Filled, filled
from processes import PROGRAMS, PYTHON, Background, Running
from runner import Benchmark, Column, Figures
from steady import FIRE_COST, HEAD_START, LATE, Pace, measure, watch

LIMIT = "limit"
PEERS_HEAD_START = 45.0
"""Seconds that a peer gets to fill its store and to read it."""


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--n", type=int, default=100_000, help="tasks registered (default 100000)")
    parser.add_argument("--few", type=int, default=1_000, help="tasks registered beside (default 1000)")
    parser.add_argument("--rate", type=float, default=500.0, help="fires a second (default 500)")
    parser.add_argument("--seconds", type=float, default=30.0, help="how long to look on (default 30)")


def benchmarks(options: argparse.Namespace, stack: ExitStack) -> list[Benchmark]:
    services.require_postgres()
    services.require_rabbitmq()
    many = Pace(options.n, options.rate, options.seconds)
    few = Pace(options.few, options.rate, options.seconds)
    columns = [
        Column(f"taskcfg, {few.n:,} registered", _ours(few, stack)),
        Column(f"taskcfg, {many.n:,} registered", _ours(many, stack)),
        Column(LIMIT, partial(measure, partial(_limit, many), many, HEAD_START + 3.0)),
    ]
    rivals: dict[str, contestants.Peer] = {
        "APScheduler, memory": contestants.ApschedulerMemory(many.period, many.step),
        "RedBeat": contestants.Redbeat(many.period, many.step),
    }
    columns += [
        Column(f"{name}, {many.n:,}", partial(measure, _peer(peer), many, PEERS_HEAD_START), peer.missing())
        for name, peer in rivals.items()
    ]
    return [
        Benchmark(
            title=f"{options.rate:g} fires a second for {options.seconds:g} s; PostgreSQL, RabbitMQ",
            main=FIRE_COST,
            columns=columns,
            against=(columns[0].name, LIMIT),
            goal=f"with {many.n:,}: {LATE} at most the limit's + 50, at most 40 % of a core, memory below "
            "150 MB and as with few, a fire at most 1.2 x what it costs with few, none late by 1 s",
        )
    ]


def _ours(pace: Pace, stack: ExitStack) -> Callable[[], Figures]:
    @cache
    def store() -> Filled:
        return stack.enter_context(filled(pace.n, pace.period))

    def measure_once() -> Figures:
        full = store()
        full.queue.drain()
        start = full.in_time(full.fires_from)
        time.sleep(max(0.0, start - HEAD_START - time.time()))
        with full.project.start("scheduler") as process:
            return watch(process, full.queue, start, pace)

    return measure_once


def _limit(pace: Pace, setting: Setting) -> Running:
    document = {
        "due": setting.due,
        "step": pace.step,
        "fires": pace.fires,
        "queue": setting.queue.name,
        "broker": setting.queue.broker,
    }
    argv = [PYTHON, str(PROGRAMS / "limit_steady.py"), json.dumps(document)]
    return Background(argv, log=setting.folder / "limit.log", cwd=setting.folder)


def _peer(peer: contestants.Peer) -> Callable[[Setting], Running]:
    def start(setting: Setting) -> Running:
        peer.fill(setting)
        return peer.start(setting)

    return start


def main(argv: Sequence[str] | None = None) -> list[dict[str, object]]:
    return runner.main(benchmarks, rounds=3, arguments=arguments, argv=argv, description=__doc__)


if __name__ == "__main__":
    main()
