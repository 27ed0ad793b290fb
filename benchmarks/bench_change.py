"""From the commit of `taskcfg apply`, in another process, to the first publish of what it declared.

The new task is due every 20 ms around the instant it is applied, so that it is due when it is committed,
or at most 20 ms later. The commit is seen by a connection of ours that looks every millisecond; the
publish by a consumer.
"""

from __future__ import annotations

import argparse
import random
import sqlite3
import statistics
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack, closing
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import psycopg2

import runner
import services
from project import Project, instant, write
from queues import RabbitQueue, own_rabbit_queue
from runner import Benchmark, Column, Figures

MAIN = "p50, ms"
POLL = 0.001
EVERY = 0.02
AROUND = 3.0
"""Seconds from the start of the apply during which the task is due."""

GIVE_UP = 15.0
QUIET = "  q{number}: {{type: celery, schedule: {{cron: '0 0 1 1 *'}}, params: {{task: bench.noop}}}}\n"
COMMITTED = "SELECT count(*) FROM task_config WHERE name = '{name}'"


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--tries", type=int, default=20, help="changes of a round (default 20)")
    parser.add_argument("--n", type=int, default=200, help="tasks applied before, not due (default 200)")


def benchmarks(options: argparse.Namespace, stack: ExitStack) -> list[Benchmark]:
    services.require_rabbitmq()
    columns = []
    for name, database in (("PostgreSQL", _postgres), ("SQLite", _sqlite)):
        columns.append(Column(name, _round(database, options.n, options.tries)))
    return [
        Benchmark(
            title=f"taskcfg apply committed to first publish; {options.tries} changes a round",
            main=MAIN,
            columns=columns,
            goal="p99 below 250 ms on PostgreSQL, below 1 s on SQLite",
        )
    ]


def _postgres(stack: ExitStack, folder: Path) -> str:
    services.require_postgres()
    return stack.enter_context(services.own_database())


def _sqlite(stack: ExitStack, folder: Path) -> str:
    return f"sqlite:///{folder / 'bench.db'}"


def _count(stack: ExitStack, url: str) -> Callable[[str], int]:
    """Return a function that runs a counting SELECT on a connection of its own."""
    connection: Any
    if url.startswith("sqlite:///"):
        file = url.removeprefix("sqlite:///")
        connection = sqlite3.connect(file, isolation_level=None, check_same_thread=False)
    else:
        connection = psycopg2.connect(url)
        connection.autocommit = True
    cursor = stack.enter_context(closing(connection)).cursor()

    def count(statement: str) -> int:
        cursor.execute(statement)
        return int(cursor.fetchone()[0])

    return count


def _round(database: Callable[[ExitStack, Path], str], n: int, tries: int) -> Callable[[], Figures]:
    def measure() -> Figures:
        with ExitStack() as stack:
            folder = Path(stack.enter_context(TemporaryDirectory(prefix="taskcfg-bench-")))
            url = database(stack, folder)
            queue = stack.enter_context(own_rabbit_queue())
            project = Project(folder, {"database_url": url, "broker_url": services.RABBITMQ_URL})
            write(project, "quiet.yaml", queue.name, (QUIET.format(number=number) for number in range(n)))
            project.run("db", "upgrade")
            project.run("apply", "--yes")
            scheduler = stack.enter_context(project.start("scheduler"))
            time.sleep(3.0)
            scheduler.check()
            count = _count(stack, url)
            return _figures([_change(project, queue, count, number) for number in range(tries)])

    return measure


def _figures(late: Sequence[float | None]) -> Figures:
    known = [seconds * 1000 for seconds in late if seconds is not None]
    if len(known) < 2:
        raise RuntimeError(f"{len(known)} of {len(late)} changes were acted on")
    cuts = statistics.quantiles(known, n=100, method="inclusive")
    return {
        MAIN: cuts[49],
        "p99, ms": cuts[98],
        "max, ms": max(known),
        "never": len(late) - len(known),
    }


def _change(project: Project, queue: RabbitQueue, count: Callable[[str], int], number: int) -> float | None:
    """Apply one new task; return the seconds from its commit to its first publish, None for never."""
    time.sleep(random.random())
    started = time.time()
    instants = [started + index * EVERY for index in range(1, int(AROUND / EVERY))]
    task = (
        f"  new{number}:\n"
        "    type: celery\n"
        f"    schedule: {{at: [{', '.join(repr(instant(each)) for each in instants)}]}}\n"
        f"    params: {{task: bench.noop, args: [{number}]}}\n"
    )
    write(project, f"new-{number}.yaml", queue.name, [task])
    applying = threading.Thread(target=project.run, args=("apply", "--yes"))
    applying.start()
    committed: list[float] = []
    watching = threading.Thread(target=_watch, args=(count, f"new{number}", committed))
    watching.start()
    arrived = queue.first_arrival(GIVE_UP)
    watching.join()
    applying.join()
    time.sleep(max(0.0, started + AROUND + 0.5 - time.time()))
    queue.purge()
    return max(0.0, arrived - committed[0]) if arrived and committed else None


def _watch(count: Callable[[str], int], name: str, committed: list[float]) -> None:
    """Note when the task *name* is there for others to see."""
    deadline = time.time() + GIVE_UP
    while not committed and time.time() < deadline:
        if count(COMMITTED.format(name=name)):
            committed.append(time.time())
        time.sleep(POLL)


def main(argv: Sequence[str] | None = None) -> list[dict[str, object]]:
    return runner.main(benchmarks, rounds=3, arguments=arguments, argv=argv, description=__doc__)


if __name__ == "__main__":
    main()
