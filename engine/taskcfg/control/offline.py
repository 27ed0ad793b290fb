"""What needs only the task files: no database, no broker."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from taskcfg.control.documents import problem_document
from taskcfg.errors import InvalidTaskFiles, count
from taskcfg.problems import Problem, Severity
from taskcfg.settings import Settings
from taskcfg.source.loader import Loaded, load_files, load_folder, load_text
from taskcfg.spec.task import TaskSpec
from taskcfg.types.registry import types_of


@dataclass(frozen=True, slots=True)
class Checked:
    """What was found in task files; `tasks` counts those declared, also with problems."""

    files: int
    tasks: int
    problems: tuple[Problem, ...]

    @property
    def valid(self) -> bool:
        return all(problem.severity is not Severity.ERROR for problem in self.problems)

    def total(self) -> str:
        """Return the last line of `taskcfg validate`."""
        errors = [problem for problem in self.problems if problem.severity is Severity.ERROR]
        warnings = len(self.problems) - len(errors)
        also = f", {count(warnings, 'warning')}" if warnings else ""
        if not errors:
            return f"No problems: {count(self.tasks, 'task')} in {count(self.files, 'file')}{also}"
        bad = len({problem.position.file for problem in errors})
        return f"{count(len(errors), 'problem')} in {bad} of {count(self.files, 'file')}{also}"

    def document(self) -> dict[str, Any]:
        """Return the JSON shape of `taskcfg validate`."""
        return {
            "valid": self.valid,
            "files": self.files,
            "tasks": self.tasks,
            "problems": [problem_document(problem) for problem in self.problems],
        }


def check_files(settings: Settings, paths: Sequence[Path] = (), *, strict: bool = False) -> Checked:
    """Read task files and return every problem in them: those of *paths*, else of the tasks folder.

    *paths* may be files and folders, and share one set of names. *strict* makes warnings errors.
    Raises UnreadableSource, InvalidType.
    """
    registry = types_of(settings)
    if paths:
        return _checked(load_files(paths, registry, root=Path.cwd(), tasks_dir=settings.tasks_dir), strict)
    return _checked(load_folder(settings.tasks_dir, registry, root=settings.project_root), strict)


def check_text(settings: Settings, text: bytes, *, strict: bool = False) -> Checked:
    """Read *text* as one task file and return every problem in it. Raises InvalidType."""
    registry = types_of(settings)
    return _checked(
        load_text(text, registry, root=settings.project_root, tasks_dir=settings.tasks_dir), strict
    )


def read_specs(settings: Settings, paths: Sequence[Path]) -> dict[str, TaskSpec]:
    """Return the tasks that the files and folders *paths* declare, by name.

    Raises InvalidTaskFiles, UnreadableSource, InvalidType.
    """
    registry = types_of(settings)
    loaded = load_files(paths, registry, root=Path.cwd(), tasks_dir=settings.tasks_dir)
    if not loaded.valid:
        raise InvalidTaskFiles(loaded.errors, files=loaded.files)
    return {spec.name: spec for spec in loaded.specs}


def _checked(loaded: Loaded, strict: bool) -> Checked:
    problems = loaded.problems
    if strict:
        problems = tuple(replace(problem, severity=Severity.ERROR) for problem in problems)
    return Checked(loaded.files, loaded.tasks, tuple(problems))
