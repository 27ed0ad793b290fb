"""Schedules by the ten thousand: memory for each, and `next --count 10` of all against their validation."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path

import peers
import runner
from bench_validate import write
from processes import PROGRAMS, PYTHON, WALL, run
from project import Project, own_project
from runner import Benchmark, Column, Figures

FIRING = "firing, B"
VALIDATE = "taskcfg validate"


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--n", type=int, default=10_000, help="schedules (default 10000)")


def benchmarks(options: argparse.Namespace, stack: ExitStack) -> list[Benchmark]:
    return [_memory(options.n), _next(stack, options.n)]


def _memory(n: int) -> Benchmark:
    def peer(library: str) -> Callable[[], Figures]:
        return _program(peers.PYTHON, "peer_schedule_memory.py", library, str(n))

    return Benchmark(
        title=f"memory of each of {n:,} distinct schedules that have given a fire, bytes",
        main=FIRING,
        columns=[
            Column("taskcfg", _program(PYTHON, "schedule_memory.py", str(n))),
            Column("cronsim", peer("cronsim"), peers.missing("cronsim")),
            Column("APScheduler", peer("apscheduler"), peers.missing("apscheduler")),
        ],
        against=("cronsim", "APScheduler"),
        goal="at most 2,048 bytes",
    )


def _program(python: str, name: str, *argv: str) -> Callable[[], Figures]:
    def measure() -> Figures:
        figures: dict[str, float] = json.loads(run([python, str(PROGRAMS / name), *argv]))
        return figures

    return measure


def _next(stack: ExitStack, n: int) -> Benchmark:
    project = stack.enter_context(own_project())
    files = write(project, n)
    whole = project.folder / "all.yaml"
    _put_together(project, whole)
    return Benchmark(
        title=f"taskcfg next --count 10 of {n:,} tasks in one file",
        main=WALL,
        columns=[
            Column("taskcfg next", lambda: project.spent("next", "--count", "10", "-f", str(whole))),
            Column(
                "next as JSON", lambda: project.spent("next", "--count", "10", "-f", str(whole), "-o", "json")
            ),
            Column(VALIDATE, lambda: project.spent("validate", str(whole))),
            Column(f"{VALIDATE}, {files:,} files", lambda: project.spent("validate")),
        ],
        against=(VALIDATE,),
        goal="at most 3 x loading and validating them",
    )


def _put_together(project: Project, whole: Path) -> None:
    """Write the tasks of all files into one: `next -f` reads one file."""
    parts = [
        path.read_text(encoding="utf-8").removeprefix("tasks:\n") for path in sorted(project.tasks.iterdir())
    ]
    whole.write_text("tasks:\n" + "".join(parts), encoding="utf-8")


def main(argv: Sequence[str] | None = None) -> list[dict[str, object]]:
    return runner.main(benchmarks, rounds=5, arguments=arguments, argv=argv, description=__doc__)


if __name__ == "__main__":
    main()
