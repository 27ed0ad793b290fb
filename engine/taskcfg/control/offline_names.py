"""Choosing tasks without a database: what a selection means among the tasks of files."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from difflib import get_close_matches

from taskcfg.errors import UnknownTask
from taskcfg.spec.selection import Selection
from taskcfg.spec.task import TaskSpec


def chosen(tasks: Mapping[str, TaskSpec], selection: Selection) -> dict[str, TaskSpec]:
    """Return those of *tasks* that *selection* means: the exact names in its order, then the others.

    Raises UnknownTask for an exact name that is not among them, with the name that may be meant.
    """
    for name in selection.exact_names:
        if name not in tasks:
            raise unknown(name, tasks)
    ordered = {name: tasks[name] for name in selection.exact_names} | dict(tasks)
    return {name: spec for name, spec in ordered.items() if selection.matches(name, spec.type, spec.labels)}


def unknown(name: str, known: Iterable[str]) -> UnknownTask:
    """Return the error for a *name* that no task bears."""
    near = get_close_matches(name, list(known), n=1)
    return UnknownTask(name, did_you_mean=near[0] if near else None)
