"""How fast due tasks are claimed and recorded: 100,000 due in one second beside 10,000.

The rate is that of the passes themselves, by the database's clock: every fire carries the instant of the
pass that recorded it. Publishing goes on beside, as it does in life.
"""

from __future__ import annotations

import argparse
import math
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from functools import cache

import psycopg2

import runner
import services
from burst import HEAD_START, verdict
from filled import Filled, filled
from processes import Running
from runner import Benchmark, Column, Figures

MAIN = "ms a thousand"
PATIENCE = 300.0
LOOK = 0.25
PASSES = "SELECT created_at, count(*) FROM schedule_event GROUP BY created_at ORDER BY created_at"


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--n", type=int, default=100_000, help="tasks due at once (default 100000)")
    parser.add_argument("--few", type=int, default=10_000, help="tasks due at once beside (default 10000)")


def benchmarks(options: argparse.Namespace, stack: ExitStack) -> list[Benchmark]:
    services.require_postgres()
    services.require_rabbitmq()
    columns = [Column(f"taskcfg, {n:,} due", _round(n, stack)) for n in (options.few, options.n)]
    return [
        Benchmark(
            title="due in one second, claimed and recorded; PostgreSQL, RabbitMQ, one scheduler process",
            main=MAIN,
            columns=columns,
            against=(columns[0].name,),
            goal=f"{options.n:,} at half the rate of {options.few:,} at least: at most 2 x its time",
        )
    ]


def _round(n: int, stack: ExitStack) -> Callable[[], Figures]:
    @cache
    def store() -> Filled:
        return stack.enter_context(filled(n, 86_400.0, spread=False))

    def measure() -> Figures:
        full = store()
        due = full.in_time(full.all_due_at)
        time.sleep(max(0.0, due - HEAD_START - time.time()))
        with full.project.start("scheduler") as process:
            figures = _watch(full, process, due)
        return {**figures, **verdict(full.queue.drain(), n)}

    return measure


def _watch(full: Filled, process: Running, due: float) -> Figures:
    """Wait until all is in the broker, asking it and not the database, whose work is measured."""
    time.sleep(max(0.0, due - 0.3 - time.time()))
    before, deadline = process.cpu(), due + PATIENCE
    while full.queue.depth() < full.n and time.time() < deadline:
        process.check()
        time.sleep(LOOK)
    published = time.time() - due
    used = process.cpu() - before
    passes = _ask(full.database, PASSES)
    # The last pass's own time is not known: what it recorded is not counted either.
    recorded = sum(count for _, count in passes[:-1])
    seconds = (passes[-1][0] - passes[0][0]).total_seconds()
    return {
        MAIN: seconds / max(1, recorded) * 1e6,
        "claimed a second": recorded / seconds if seconds else math.nan,
        "in the broker, s": published,
        "CPU a fire, ms": used / full.n * 1000,
        "memory, MB": process.memory(),
    }


def _ask(database: str, statement: str) -> list[tuple]:
    connection = psycopg2.connect(database)
    try:
        with connection.cursor() as cursor:
            cursor.execute(statement)
            return cursor.fetchall()
    finally:
        connection.close()


def main(argv: Sequence[str] | None = None) -> list[dict[str, object]]:
    return runner.main(benchmarks, rounds=3, arguments=arguments, argv=argv, description=__doc__)


if __name__ == "__main__":
    main()
