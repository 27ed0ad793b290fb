"""Choosing tasks: what a selection means among the tasks of the database, or of files."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from difflib import get_close_matches

from taskcfg.errors import NoTaskMatches, RetiredTask, UnknownTask
from taskcfg.spec.selection import Selection, matching
from taskcfg.spec.task import TaskSpec, TaskState
from taskcfg.store.database import Connection
from taskcfg.store.selecting import Selected, names_by_life, selected


def chosen(tasks: Mapping[str, TaskSpec], selection: Selection) -> dict[str, TaskSpec]:
    """Return those of *tasks* that *selection* means: the exact names in its order, then the others.

    Raises UnknownTask for an exact name that is not among them, with the name that may be meant.
    """
    for name in selection.exact_names:
        if name not in tasks:
            raise unknown(name, tasks)
    ordered = {name: tasks[name] for name in selection.exact_names} | dict(tasks)
    return {name: spec for name, spec in ordered.items() if selection.matches(name, spec.type, spec.labels)}


def choose(connection: Connection, selection: Selection) -> list[Selected]:
    """Return the rows that *selection* means, by name; none is an answer, for who only looks.

    Raises UnknownTask for an exact name that no row bears, and RetiredTask for one that only
    retired rows bear, unless *selection* asks for those.
    """
    found = selected(connection, selection)
    missing = set(selection.exact_names) - {row.name for row in found}
    if missing:
        _check_names(connection, selection, missing)
    return found


def choose_to_act(connection: Connection, selection: Selection) -> list[Selected]:
    """Return the live rows that *selection* means: at least one, and one for each of its globs.

    Raises what `choose` raises, and NoTaskMatches.
    """
    found = choose(connection, selection)
    names = [row.name for row in found]
    for pattern in selection.globs:
        if not matching(pattern, names):
            raise NoTaskMatches(str(Selection((pattern,), selection.labels, selection.types)))
    live = [row for row in found if row.state is not TaskState.RETIRED]
    if not live:
        raise NoTaskMatches(str(selection) or "`*`")
    return live


def selection_of(names: Selection | Sequence[str]) -> Selection:
    """Return *names* as a selection, if they are none yet."""
    return names if isinstance(names, Selection) else Selection.of(names)


def unknown(name: str, known: Iterable[str]) -> UnknownTask:
    """Return the error for a *name* that no task bears."""
    near = get_close_matches(name, list(known), n=1)
    return UnknownTask(name, did_you_mean=near[0] if near else None)


def _check_names(connection: Connection, selection: Selection, missing: Collection[str]) -> None:
    names = names_by_life(connection)
    retired_too = TaskState.RETIRED in selection.wanted_states
    for name in selection.exact_names:
        if name in missing and name not in names:
            raise unknown(name, (known for known, live in names.items() if live or retired_too))
        if name in missing and not names[name] and not retired_too:
            raise RetiredTask(
                f"task `{name}` was deleted", hint=f"its past is kept: `taskcfg history {name}` shows it"
            )
