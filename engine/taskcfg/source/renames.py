"""What only all files together show of `renamed_from`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from taskcfg.problems import Position, Problem
from taskcfg.source.reading import Declared


def mistaken_renames(declared: Mapping[str, Declared]) -> Sequence[Problem]:
    """Return a problem for each task that claims the name of one that is there, or that two claim."""
    return [*_still_declared(declared), *_claimed_twice(declared)]


def _still_declared(declared: Mapping[str, Declared]) -> Iterator[Problem]:
    for task in declared.values():
        old = _claim(task)
        other = declared.get(old or "")
        # Two tasks may swap their names: then the other one claims a name as well.
        if other is not None and other.spec is not None and _claim(other) is None:
            message = f"renamed_from: task `{old}` is still declared"
            yield _problem(task, message, "take it away there, or `renamed_from` here", other.position)


def _claimed_twice(declared: Mapping[str, Declared]) -> Iterator[Problem]:
    first: dict[str, Declared] = {}
    for task in sorted(declared.values(), key=lambda task: task.position):
        old = _claim(task)
        if old is not None and first.setdefault(old, task) is not task:
            message = f"renamed_from: `{old}` cannot be renamed to two names"
            yield _problem(task, message, "one of them is a new task", first[old].position)


def _claim(task: Declared) -> str | None:
    return None if task.spec is None else task.spec.renamed_from


def _problem(task: Declared, message: str, hint: str, also: Position) -> Problem:
    place = task.renamed_at or task.position
    return Problem(place, message, hint, task=task.name, field="renamed_from", also=also)
