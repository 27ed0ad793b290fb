"""Choosing tasks: what a selection means among the tasks of the database."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from taskcfg.control.offline_names import unknown
from taskcfg.errors import NoTaskMatches, RetiredTask
from taskcfg.spec.selection import Selection, matching
from taskcfg.spec.task import TaskState
from taskcfg.store.database import Connection
from taskcfg.store.selecting import Selected, names_by_life, selected


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
