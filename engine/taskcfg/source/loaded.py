"""What a load of task files gave."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass

from taskcfg.problems import Problem, Severity
from taskcfg.source.reading import Declared
from taskcfg.spec.task import TaskSpec


@dataclass(frozen=True, slots=True)
class Loaded:
    """What the files declare and what is wrong with them.

    `specs` are ordered by name, `problems` by place. `files` is how many were read, also files of
    defaults, calendars and environments, `tasks` how many tasks they declare, also broken ones. `digests`
    are those of the files, by name, and of the variables of the environment that they refer to, as
    `$NAME`. `traced` is the task that was asked for, with its layers.
    """

    specs: tuple[TaskSpec, ...]
    problems: tuple[Problem, ...]
    files: int
    tasks: int
    digests: Mapping[str, str]
    traced: Declared | None = None

    @property
    def digest(self) -> str:
        """The digest of all that was read."""
        return hashlib.sha256(repr(sorted(self.digests.items())).encode()).hexdigest()

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the files that were read, in order."""
        return tuple(sorted(name for name in self.digests if not name.startswith("$")))

    @property
    def errors(self) -> list[Problem]:
        """The problems that are no mere warnings."""
        return [problem for problem in self.problems if problem.severity is Severity.ERROR]

    @property
    def valid(self) -> bool:
        """Whether no problem is an error."""
        return not self.errors
