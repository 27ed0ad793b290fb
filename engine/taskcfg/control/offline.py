"""What needs only the task files: no database, no broker."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from taskcfg.control.documents import problem_document
from taskcfg.errors import InvalidTaskFiles, count
from taskcfg.problems import STDIN, Position, Problem, Severity
from taskcfg.settings import Settings
from taskcfg.source.checkout import top_of_checkout
from taskcfg.source.environments import Environments
from taskcfg.source.loader import Loaded, load_files, load_folder, load_text
from taskcfg.source.memory import memory_of
from taskcfg.spec.task import TaskSpec
from taskcfg.types.registry import types_of


@dataclass(frozen=True, slots=True)
class Checked:
    """What was found in task files; `tasks` counts those declared, also with problems.

    `names` are the files, from `root` on, as they stand in the problems' places.
    """

    files: int
    tasks: int
    problems: tuple[Problem, ...]
    names: tuple[str, ...] = ()
    root: Path = Path()

    @property
    def valid(self) -> bool:
        return all(problem.severity is not Severity.ERROR for problem in self.problems)

    def in_repository(self) -> Checked:
        """Return the same with every file named from the top of the repository, if there is one."""
        top = top_of_checkout(self.root)
        if top is None:
            return self

        def moved(position: Position) -> Position:
            return replace(position, file=_named_from(top, self.root, position.file))

        return replace(
            self,
            problems=tuple(
                replace(each, position=moved(each.position), also=moved(each.also) if each.also else None)
                for each in self.problems
            ),
            names=tuple(_named_from(top, self.root, name) for name in self.names),
            root=top,
        )

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


def _named_from(top: Path, root: Path, name: str) -> str:
    """Return the file *name*, which is seen from *root*, as it is seen from *top*; as it is, if not below."""
    place = Path(os.path.abspath(root / name))
    return place.relative_to(top).as_posix() if name != STDIN and place.is_relative_to(top) else name


def check_files(settings: Settings, paths: Sequence[Path] = (), *, strict: bool = False) -> Checked:
    """Read task files and return every problem in them: those of *paths*, else of the tasks folder.

    *paths* may be files and folders, and share one set of names. Of environments the one that is set
    is checked, else every one. *strict* makes warnings errors. Raises UnreadableSource, InvalidType,
    UnknownEnvironment.
    """
    registry, tasks = types_of(settings), settings.tasks_dir
    environments = Environments.of(settings, check_all=True)
    if paths:
        root = Path.cwd()
        loaded = load_files(paths, registry, root=root, tasks_dir=tasks, environments=environments)
    else:
        root = settings.project_root
        memory = memory_of(settings, environments)
        loaded = load_folder(tasks, registry, root=root, environments=environments, memory=memory)
    return _checked(loaded, root, strict)


def check_text(settings: Settings, text: bytes, *, strict: bool = False) -> Checked:
    """Read *text* as one task file and return every problem in it, as `check_files` does."""
    root, environments = settings.project_root, Environments.of(settings, check_all=True)
    loaded = load_text(
        text, types_of(settings), root=root, tasks_dir=settings.tasks_dir, environments=environments
    )
    return _checked(loaded, root, strict)


def read_specs(settings: Settings, paths: Sequence[Path]) -> dict[str, TaskSpec]:
    """Return the tasks that the files and folders *paths* declare, by name.

    Raises InvalidTaskFiles, UnreadableSource, InvalidType, UnknownEnvironment.
    """
    environments = Environments.of(settings)
    loaded = load_files(
        paths, types_of(settings), root=Path.cwd(), tasks_dir=settings.tasks_dir, environments=environments
    )
    if not loaded.valid:
        raise InvalidTaskFiles(loaded.errors, files=loaded.files)
    return {spec.name: spec for spec in loaded.specs}


def _checked(loaded: Loaded, root: Path, strict: bool) -> Checked:
    problems = loaded.problems
    if strict:
        problems = tuple(replace(problem, severity=Severity.ERROR) for problem in problems)
    return Checked(loaded.files, loaded.tasks, tuple(problems), loaded.names, root)
