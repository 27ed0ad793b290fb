"""A database with many tasks in it, applied once and set to another instant for each round."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import psycopg2

import services
from burst import HEAD_START, Allowance
from project import Project, instant, write
from queues import Queue, own_queue

TASKS_A_FILE = 500
ANCHOR = 1_700_000_000.0
CANARY = "canary"

_HISTORY = "TRUNCATE schedule_event CASCADE"
_PHASES = """
UPDATE task_config SET last_nominal_at = NULL, next_nominal_at = phase.next, next_fire_at = phase.next
FROM (
    SELECT id, to_timestamp(first + ceil((%(from)s - first) / %(period)s) * %(period)s) AS next
    FROM (SELECT id, %(anchor)s + substr(name, 2)::int * %(step)s AS first FROM task_config
          WHERE name LIKE 't%%') AS each
) AS phase
WHERE task_config.id = phase.id
"""
_ALL_AT = """
UPDATE task_config SET last_nominal_at = NULL, next_nominal_at = to_timestamp(%(due)s),
       next_fire_at = to_timestamp(%(due)s)
WHERE name LIKE 't%%'
"""
_CANARY = """
UPDATE task_config SET last_nominal_at = NULL, next_nominal_at = now(), next_fire_at = now()
WHERE name = %(canary)s
"""


class Filled:
    """A project whose *n* tasks recur every *period* seconds, *step* seconds after each other.

    No worker ends what they fire, so they allow overlap. Besides there is a canary, due once a year
    until it is `make_canary_due`.
    """

    def __init__(
        self, project: Project, queue: Queue, database: str, *, n: int, period: float, step: float
    ) -> None:
        self.project = project
        self.queue = queue
        self.database = database
        self.n = n
        self.period = period
        self.step = step

    def fires_from(self, start: float) -> None:
        """Forget all history, and have each task fire next at its first phase from *start* on."""
        values = {"from": start, "anchor": ANCHOR, "step": self.step, "period": self.period}
        self._set(_PHASES, values)

    def all_due_at(self, due: float) -> None:
        """Forget all history, and have every task fire next at *due*."""
        self._set(_ALL_AT, {"due": due})

    def in_time(self, set_to: Callable[[float], None]) -> float:
        """Call *set_to* for an instant so far off that a scheduler can be up before; return the instant."""
        allowance = Allowance(self.n)
        while True:
            instant = float(math.ceil(time.time() + allowance.seconds))
            set_to(instant)
            if instant - time.time() >= HEAD_START:
                return instant
            allowance.too_little()

    def make_canary_due(self) -> None:
        self._run([(_CANARY, {"canary": CANARY})])

    def _set(self, statement: str, values: dict[str, float]) -> None:
        # Every round begins with tables as a fresh apply leaves them, without the rows of the last.
        self._run([(_HISTORY, None), (statement, values), ("VACUUM FULL task_config", None)])
        services.settle(self.database)

    def _run(self, statements: list[tuple[str, dict[str, float] | dict[str, str] | None]]) -> None:
        connection = psycopg2.connect(self.database)
        connection.autocommit = True
        try:
            with connection.cursor() as cursor:
                for statement, values in statements:
                    cursor.execute(statement, values)
        finally:
            connection.close()


@contextmanager
def filled(n: int, period: float, *, spread: bool = True) -> Iterator[Filled]:
    """Apply *n* tasks and a canary to a database of their own; not measured.

    They recur every *period* seconds: one after the other, or, not *spread*, all at once.
    """
    folder = TemporaryDirectory(prefix="taskcfg-bench-")
    with own_queue("rabbitmq") as queue, services.own_database() as database, folder as path:
        project = Project(Path(path), {"database_url": database, "broker_url": queue.broker})
        step = period / n if spread else 0.0
        for start in range(0, n, TASKS_A_FILE):
            tasks = (
                _task(f"t{index:06d}", f"every: {_duration(period)}, "
                      f"anchor: '{instant(ANCHOR + index * step)}'", index)
                for index in range(start, min(start + TASKS_A_FILE, n))
            )  # fmt: skip
            write(project, f"tasks-{start:06d}.yaml", queue.name, tasks)
        write(project, "canary.yaml", queue.name, [_task(CANARY, "cron: '0 0 1 1 *'", -1)])
        project.run("db", "upgrade")
        project.run("apply", "--yes")
        yield Filled(project, queue, database, n=n, period=period, step=step)


def _task(name: str, schedule: str, index: int) -> str:
    return (
        f"  {name}:\n"
        "    type: celery\n"
        f"    schedule: {{{schedule}}}\n"
        f"    params: {{task: bench.noop, args: [{index}]}}\n"
        "    overlap: allow\n"
    )


def _duration(seconds: float) -> str:
    return f"{seconds:g}s" if seconds >= 1 else f"{seconds * 1000:g}ms"
