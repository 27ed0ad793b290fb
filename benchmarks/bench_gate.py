"""What the gate adds to each execution on PostgreSQL, beside two single-row commits."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from contextlib import ExitStack
from functools import partial

import runner
import services
from processes import PROGRAMS, PYTHON, run
from project import own_project, write
from runner import Benchmark, Column, Figures

MAIN = "an execution, µs"
LIMIT = "two commits"
TASK = "  one: {type: celery, schedule: {cron: '0 0 1 1 *'}, params: {task: bench.noop}}\n"


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--n", type=int, default=1_000, help="executions of a round (default 1000)")


def benchmarks(options: argparse.Namespace, stack: ExitStack) -> list[Benchmark]:
    services.require_postgres()
    pair = _Pair(options.n)
    return [
        Benchmark(
            title=f"added to each execution by the gate, PostgreSQL; {options.n:,} a round",
            main=MAIN,
            columns=[
                Column("the gate", partial(pair.take, "gate")),
                Column(LIMIT, partial(pair.take, LIMIT)),
            ],
            against=(LIMIT,),
            goal="at most 2 x two single-row commits",
        )
    ]


class _Pair:
    """Both columns of a round: one process measures them, in turns, so that the machine treats them alike."""

    def __init__(self, n: int) -> None:
        self._n = n
        self._left: dict[str, Figures] = {}

    def take(self, column: str) -> Figures:
        if column not in self._left:
            self._left = self._measure()
        return self._left.pop(column)

    def _measure(self) -> dict[str, Figures]:
        with services.own_database() as database, own_project(database_url=database) as project:
            write(project, "one.yaml", "celery", [TASK])
            project.run("db", "upgrade")
            project.run("apply", "--yes")
            said = json.loads(run([PYTHON, str(PROGRAMS / "gate.py"), database, str(self._n)]))
        gate = {MAIN: said["gate"], "CPU, µs": said["gate_cpu"], "recorded": said["recorded"]}
        return {"gate": gate, LIMIT: {MAIN: said["commits"], "CPU, µs": said["commits_cpu"]}}


def main(argv: Sequence[str] | None = None) -> list[dict[str, object]]:
    return runner.main(benchmarks, rounds=5, arguments=arguments, argv=argv, description=__doc__)


if __name__ == "__main__":
    main()
