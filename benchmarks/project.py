"""A taskcfg project for a benchmark: its folder, its task files, and the installed command run in it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

import processes
from processes import TASKCFG, Background
from runner import Figures

TASKS_A_FILE = 100


class Project:
    """A folder with `tasks.d/`, and `taskcfg` run there with `settings` (as `TASKCFG_*`)."""

    def __init__(self, folder: Path, settings: Mapping[str, str]) -> None:
        self.folder = folder
        self.tasks = folder / "tasks.d"
        self.tasks.mkdir()
        (folder / "taskcfg.toml").touch()
        self.env = {f"TASKCFG_{name.upper()}": value for name, value in settings.items()}

    def run(self, *arguments: str) -> str:
        """Run `taskcfg *arguments*` to its end and return its stdout. Raises Failed unless it exits 0."""
        return processes.run([TASKCFG, *arguments], cwd=self.folder, env=self.env)

    def spent(self, *arguments: str) -> Figures:
        """Return what `taskcfg *arguments*` takes, in ms. Raises Failed unless it exits 0."""
        return processes.spent([TASKCFG, *arguments], cwd=self.folder, env=self.env)

    def start(self, *arguments: str, log: str | None = None) -> Background:
        file = self.folder / (log or f"{arguments[0]}.log")
        return Background([TASKCFG, *arguments], log=file, cwd=self.folder, env=self.env)


@contextmanager
def own_project(**settings: str) -> Iterator[Project]:
    with TemporaryDirectory(prefix="taskcfg-bench-") as folder:
        yield Project(Path(folder), settings)


def instant(seconds: float) -> str:
    """Return a Unix time as the text that task files take."""
    return datetime.fromtimestamp(seconds, UTC).isoformat()


def write_daily(project: Project, n: int, due: float, queue: str) -> None:
    """Write *n* tasks of type `celery`, daily from *due* on, each with its number as its argument."""
    for start in range(0, n, TASKS_A_FILE):
        tasks = (
            f"  t{index:06d}:\n"
            "    type: celery\n"
            f"    schedule: {{every: 1d, anchor: '{instant(due)}'}}\n"
            f"    params: {{task: bench.noop, args: [{index}]}}\n"
            for index in range(start, min(start + TASKS_A_FILE, n))
        )
        write(project, f"burst-{start:06d}.yaml", queue, tasks)


def write(project: Project, name: str, queue: str, tasks: Iterable[str]) -> Path:
    path = project.tasks / name
    path.write_text(f"defaults: {{queue: {queue}}}\ntasks:\n{''.join(tasks)}", encoding="utf-8")
    return path
