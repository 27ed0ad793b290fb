"""`taskcfg --help` against a Python that only imports click."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from contextlib import ExitStack

import runner
from processes import PYTHON, WALL, spent
from project import own_project
from runner import Benchmark, Column, Figures

LIMIT = "import click"


def benchmarks(options: argparse.Namespace, stack: ExitStack) -> list[Benchmark]:
    project = stack.enter_context(own_project())

    def ours() -> Figures:
        return project.spent("--help")

    def limit() -> Figures:
        return spent([PYTHON, "-c", "import click"], cwd=project.folder)

    for measure in (ours, limit):
        measure()  # bytecode compiled, files in the page cache
    return [
        Benchmark(
            title="taskcfg --help",
            main=WALL,
            columns=[Column("taskcfg --help", ours), Column(LIMIT, limit)],
            against=(LIMIT,),
            goal="at most 1.5 x `python -c 'import click'`",
        )
    ]


def main(argv: Sequence[str] | None = None) -> list[dict[str, object]]:
    return runner.main(benchmarks, rounds=21, argv=argv, description=__doc__)


if __name__ == "__main__":
    main()
