"""`taskcfg validate` of one file, and of 1,000 tasks in 100 files, against the least each can cost."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path

import runner
from processes import PROGRAMS, PYTHON, WALL, spent
from project import Project, own_project
from runner import Benchmark, Column, Figures

IMPORTS = "import pydantic, yaml, click"
IMPORTS_PROGRAM = "import yaml, click; from pydantic import BaseModel"
"""`import pydantic` alone loads next to nothing: what it names is imported when first used."""

ONE_MODEL = "the same and one model"
ONE_MODEL_PROGRAM = f"""{IMPORTS_PROGRAM}
class Params(BaseModel):
    target: str
"""
READ = "read, parse in C, pydantic"
TASKS_A_FILE = 10

WEEKDAYS = ("MON-FRI", "SUN", "MON", "TUE", "WED", "THU", "FRI,SAT")
"""With every minute of a day they make 10,080 different schedules."""

TASK = """\
  team-{number:05d}.purge:
    type: cleanup
    description: Remove execution history older than a month, number {number}
    schedule:
      cron: "{minute} {hour} * * {weekdays}"
    params:
      target: execution_history
      older_than: 30d
    timezone: Europe/Berlin
    timeout: 10m
    retry: {{attempts: 3, delay: 30s, backoff: exponential}}
    expires: 1h
    overlap: skip
    catch_up: latest
    priority: 7
    queue: maintenance
"""


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--n", type=int, default=1000, help="tasks of the larger project (default 1000)")


def benchmarks(options: argparse.Namespace, stack: ExitStack) -> list[Benchmark]:
    return [_one_file(stack), _many_files(stack, options.n)]


def _one_file(stack: ExitStack) -> Benchmark:
    project = stack.enter_context(own_project())
    write(project, 1)
    ours = _validate(project, "tasks.d/tasks-00000.yaml")
    imports = _python(project, "-c", IMPORTS_PROGRAM)
    one_model = _python(project, "-c", ONE_MODEL_PROGRAM)
    return Benchmark(
        title="taskcfg validate, one file with one task",
        main=WALL,
        columns=[Column("taskcfg validate", ours), Column(IMPORTS, imports), Column(ONE_MODEL, one_model)],
        against=(IMPORTS, ONE_MODEL),
        goal="at most 1.5 x the imports it needs",
    )


def _many_files(stack: ExitStack, n: int) -> Benchmark:
    project = stack.enter_context(own_project())
    files = write(project, n)
    ours = _validate(project)
    limit = _python(project, str(PROGRAMS / "limit_validate.py"), str(project.tasks))
    return Benchmark(
        title=f"taskcfg validate, {n:,} tasks in {files} files",
        main=WALL,
        columns=[Column("taskcfg validate", ours), Column(READ, limit)],
        against=(READ,),
        goal="at most 1.6 x reading, parsing in C and validating them with the same imports",
    )


def write(project: Project, n: int) -> int:
    """Write *n* tasks, ten a file; return the number of files."""
    starts = range(0, n, TASKS_A_FILE)
    for start in starts:
        numbers = range(start, min(start + TASKS_A_FILE, n))
        tasks = (
            TASK.format(number=i, minute=i % 60, hour=i // 60 % 24, weekdays=WEEKDAYS[i // 1440 % 7])
            for i in numbers
        )
        path: Path = project.tasks / f"tasks-{start:05d}.yaml"
        path.write_text(f"tasks:\n{''.join(tasks)}", encoding="utf-8")
    return len(starts)


def _validate(project: Project, *paths: str) -> Callable[[], Figures]:
    def measure() -> Figures:
        return project.spent("validate", *paths)

    return measure


def _python(project: Project, *arguments: str) -> Callable[[], Figures]:
    def measure() -> Figures:
        return spent([PYTHON, *arguments], cwd=project.folder)

    return measure


def main(argv: Sequence[str] | None = None) -> list[dict[str, object]]:
    return runner.main(benchmarks, rounds=15, arguments=arguments, argv=argv, description=__doc__)


if __name__ == "__main__":
    main()
