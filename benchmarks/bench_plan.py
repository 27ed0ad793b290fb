"""`taskcfg plan` and `apply` of many tasks, against the least each can cost, and beside terraform."""

from __future__ import annotations

import argparse
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from tempfile import mkdtemp

import processes
import runner
import services
from processes import PROGRAMS, PYTHON, WALL, spent
from project import Project, own_project
from runner import Benchmark, Column, Figures

TASKS_A_FILE = 10
MOST_OF_TERRAFORM = 1000
"""Beyond that a round of it takes minutes."""

ZONES = ("UTC", "Europe/Paris", "America/New_York", "Asia/Tokyo")
TASK = """\
  tenant-{number:06d}.rollup:
    type: celery
    description: Roll up the daily figures of tenant {number:06d}
    schedule: {{cron: "{minute} {hour} * * *", timezone: {zone}}}
    params:
      task: app.tasks.rollup
      args: [{number}, daily]
      kwargs: {{tenant: tenant-{number:06d}, dry_run: false}}
    queue: q{queue}
    priority: {priority}
    expires: 1h
    retry: {{attempts: 3, delay: 30s, backoff: exponential}}
    labels: {{team: data, shard: s{queue}}}
    owner: team-data
"""
RESOURCE = """\
resource "terraform_data" "task_{number:06d}" {{
  input = {{
    name = "tenant-{number:06d}.rollup", type = "celery"
    description = "Roll up the daily figures of tenant {number:06d}"
    schedule = {{ cron = "{minute} {hour} * * *", timezone = "{zone}" }}
    params = {{ task = "app.tasks.rollup", args = [{number}, "daily"] }}
    queue = "q{queue}", priority = {priority}, expires = "1h", owner = "team-data"
  }}
}}
"""


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--n", type=int, default=10_000, help="tasks of the larger project (default 10000)")


def benchmarks(options: argparse.Namespace, stack: ExitStack) -> list[Benchmark]:
    services.require_postgres()
    sizes = sorted({min(MOST_OF_TERRAFORM, options.n), options.n})
    return [each for n in sizes for each in _of_size(n, stack)]


def _of_size(n: int, stack: ExitStack) -> Iterator[Benchmark]:
    database = stack.enter_context(services.own_database())
    project = stack.enter_context(own_project(database_url=database))
    files = write(project, n)
    project.run("db", "upgrade")
    project.run("apply", "--yes")
    services.settle(database)
    terraform = _Terraform(n, stack)
    shape = f"{n:,} tasks in {files:,} files"
    yield Benchmark(
        title=f"plan with nothing changed, {shape}",
        main=WALL,
        columns=[
            Column("taskcfg plan", lambda: project.spent("plan")),
            Column("read and hash", _limit("hash", project)),
            Column("terraform plan", terraform.plan_unchanged, terraform.missing()),
        ],
        against=("read and hash", "terraform plan"),
        goal="at most 1.5 x reading and hashing; at 1,000 at least 15 x faster than terraform",
    )
    yield Benchmark(
        title=f"plan of fresh tasks, nothing remembered, {shape}",
        main=WALL,
        columns=[
            Column("taskcfg plan", lambda: _fresh(project, "plan")),
            Column("read, parse in C, validate, digests", _limit("plan", project, empty=True)),
            Column("terraform plan", terraform.plan_fresh, terraform.missing()),
        ],
        against=("read, parse in C, validate, digests", "terraform plan"),
        goal="at most 1.6 x the full-plan limit",
    )
    yield Benchmark(
        title=f"apply of fresh tasks, nothing remembered, {shape}",
        main=WALL,
        columns=[
            Column("taskcfg apply", lambda: _fresh(project, "apply", "--yes")),
            Column("the same, and COPY and merge", _limit("apply", project, empty=True)),
        ],
        against=("the same, and COPY and merge",),
        goal="at most 2 x the full-plan limit with the bulk write; linear to 100,000",
    )


def write(project: Project, n: int) -> int:
    """Write *n* tasks, ten a file; return the number of files."""
    starts = range(0, n, TASKS_A_FILE)
    for start in starts:
        text = "".join(TASK.format(**_values(i)) for i in range(start, min(start + TASKS_A_FILE, n)))
        (project.tasks / f"tenants-{start:06d}.yaml").write_text(f"tasks:\n{text}", encoding="utf-8")
    return len(starts)


def _values(i: int) -> dict[str, object]:
    return {
        "number": i,
        "minute": i % 60,
        "hour": i // 60 % 24,
        "zone": ZONES[i % 4],
        "queue": i % 8,
        "priority": i % 10,
    }


def _fresh(project: Project, *arguments: str) -> Figures:
    """Run it on a database that holds nothing yet, with nothing remembered."""
    shutil.rmtree(project.folder / ".taskcfg", ignore_errors=True)
    with services.own_database() as database:
        empty = {**project.env, "TASKCFG_DATABASE_URL": database}
        processes.run([processes.TASKCFG, "db", "upgrade"], cwd=project.folder, env=empty)
        return spent([processes.TASKCFG, *arguments], cwd=project.folder, env=empty)


def _limit(what: str, project: Project, *, empty: bool = False) -> Callable[[], Figures]:
    program = [PYTHON, str(PROGRAMS / "limit_plan.py"), what, str(project.tasks)]

    def measure() -> Figures:
        if not empty:
            return spent(program, cwd=project.folder)
        with services.own_database() as database:
            return spent([*program, database], cwd=project.folder)

    return measure


class _Terraform:
    """The same tasks as resources of terraform's own, which need no provider and no network."""

    def __init__(self, n: int, stack: ExitStack) -> None:
        self._n = n
        self._program = shutil.which("terraform")
        self._folder = Path(mkdtemp(prefix="taskcfg-bench-terraform-"))
        self._applied = False
        stack.callback(shutil.rmtree, self._folder, ignore_errors=True)

    def missing(self) -> str | None:
        if self._n > MOST_OF_TERRAFORM:
            return f"not run beyond {MOST_OF_TERRAFORM:,} tasks: a round takes minutes"
        return None if self._program else "terraform is not installed"

    def plan_fresh(self) -> Figures:
        self._initialise()
        (self._folder / "terraform.tfstate").unlink(missing_ok=True)
        self._applied = False
        return self._spent("plan", "-no-color", "-input=false")

    def plan_unchanged(self) -> Figures:
        self._initialise()
        if not self._applied:
            self._spent("apply", "-no-color", "-input=false", "-auto-approve")
            self._applied = True
        return self._spent("plan", "-no-color", "-input=false")

    def _initialise(self) -> None:
        file = self._folder / "main.tf"
        if not file.exists():
            file.write_text("".join(RESOURCE.format(**_values(i)) for i in range(self._n)), encoding="utf-8")
            self._spent("init", "-no-color", "-input=false")

    def _spent(self, *arguments: str) -> Figures:
        return spent([str(self._program), *arguments], cwd=self._folder)


def main(argv: Sequence[str] | None = None) -> list[dict[str, object]]:
    return runner.main(benchmarks, rounds=5, arguments=arguments, argv=argv, description=__doc__)


if __name__ == "__main__":
    main()
