"""The problems found in one file, each once, at the key or value it is about."""

from __future__ import annotations

from dataclasses import dataclass
from difflib import get_close_matches
from typing import TYPE_CHECKING

from taskcfg.problems import Position, Problem, Severity
from taskcfg.source.references import References, Resolved

if TYPE_CHECKING:
    from collections.abc import Iterable

    from yaml.nodes import Node


FEW = 15
"""So many names at most are listed in a hint."""


class Findings:
    """Collects the problems of one file. What several tasks inherit from one place is said once."""

    def __init__(self, file: str, references: References | None = None) -> None:
        self.file = file
        self.references = references or References({})
        self._problems: dict[tuple[Position, str, Position | None], Problem] = {}

    @property
    def problems(self) -> list[Problem]:
        """The problems so far, in the order of their places in the file."""
        return sorted(self._problems.values(), key=lambda problem: problem.position)

    def add(
        self,
        place: Node | Position,
        message: str,
        *,
        hint: str | None = None,
        task: str | None = None,
        field: str | None = None,
        also: Position | None = None,
        severity: Severity = Severity.ERROR,
    ) -> None:
        position = place if isinstance(place, Position) else self.position(place)
        if _is_broken(place):
            return
        if self.references.used:
            message = self.references.hidden(message, place)
            hint = _from_environment(place) or (hint and self.references.hidden(hint, place))
        self.take(Problem(position, message, hint, task, field, also, severity))

    def take(self, problem: Problem) -> bool:
        """Add *problem*, and say whether it was new."""
        key = problem.position, problem.message, problem.also
        return self._problems.setdefault(key, problem) is problem

    def position(self, node: Node) -> Position:
        """Return where *node* begins, which may be in another file than this one."""
        mark = node.start_mark
        return Position(mark.name, mark.line + 1, mark.column + 1)


def _is_broken(place: Node | Position) -> bool:
    return not isinstance(place, Position) and isinstance(place.tag, Resolved) and place.tag.broken


def _from_environment(place: Node | Position) -> str | None:
    """Return the hint for a value that came from the environment, where the file cannot be mended."""
    tag = None if isinstance(place, Position) else place.tag
    if not isinstance(tag, Resolved) or not tag.variables:
        return None
    names = " and ".join(f"`{name}`" for name in tag.variables)
    return f"it comes from the environment: see {names}"


@dataclass(slots=True)
class TaskFindings:
    """The findings of one task, or of the defaults; what is missing is reported at `name`.

    `failed` says whether anything found so far keeps it from being used.
    """

    findings: Findings
    task: str | None
    name: Node
    failed: bool = False

    def add(
        self,
        field: str,
        place: Node,
        message: str,
        hint: str | None = None,
        severity: Severity = Severity.ERROR,
    ) -> None:
        self.failed = self.failed or severity is Severity.ERROR
        text = f"{field}: {message}"
        self.findings.add(place, text, hint=hint, task=self.task, field=field, severity=severity)


def did_you_mean(word: str, known: Iterable[str]) -> str | None:
    """Return the hint that names the nearest of *known*, if one is near; else all, if they are few."""
    words = sorted(known)
    near = get_close_matches(word, words, n=1)
    if near:
        return f"did you mean `{near[0]}`?"
    if 0 < len(words) <= FEW:
        return f"expected {', '.join(f'`{word}`' for word in words)}"
    return None
