"""Choosing tasks by name."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from difflib import get_close_matches
from typing import TypeVar

from taskcfg.errors import UnknownTask

T = TypeVar("T")


def chosen(tasks: Mapping[str, T], names: Sequence[str]) -> dict[str, T]:
    """Return the tasks *names*, in that order, each once; all of them where no name is given.

    Raises UnknownTask, with the name that may be meant.
    """
    if not names:
        return dict(tasks)
    for name in names:
        if name not in tasks:
            raise unknown(name, tasks)
    return {name: tasks[name] for name in names}


def unknown(name: str, known: Iterable[str]) -> UnknownTask:
    """Return the error for a *name* that no task bears."""
    near = get_close_matches(name, list(known), n=1)
    return UnknownTask(name, did_you_mean=near[0] if near else None)
