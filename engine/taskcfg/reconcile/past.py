"""What revisions recorded, read again: as lines, who set which field, and how a source stood. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from taskcfg.errors import TaskcfgError
from taskcfg.reconcile.describe import value_text
from taskcfg.reconcile.plan import FieldChange, document_changes, flattened
from taskcfg.reconcile.schedule_values import says_the_same

Recorded = Mapping[str, Any]
"""One element of a revision's `changes`: `action`, `name`, `before` and `after`, and the `id` of the row;
`previous` of a rename, and `previous_source` of a task that was adopted."""

_TITLES = {
    "create": "  + {name} created",
    "update": "  ~ {name} updated",
    "rename": "  > {name} renamed (was {previous})",
    "delete": "  - {name} deleted",
}


def read_changes(number: int, text: str) -> list[Recorded]:
    """Return the changes that the revision *number* recorded as *text*.

    Raises TaskcfgError for what taskcfg did not write.
    """
    try:
        changes = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise unreadable(number, f"it is no JSON: {error}") from error
    if not isinstance(changes, list):
        raise unreadable(number, "it is no list of changes")
    for change in changes:
        check_change(number, change)
    return changes


def check_change(number: int, change: Any) -> None:
    """Raise TaskcfgError unless *change* is one that the revision *number* can have recorded."""
    if not isinstance(change, Mapping) or change.get("action") not in _TITLES:
        raise unreadable(number, "it holds what is no change")
    documents = [change.get(key, ()) for key in ("before", "after")]
    named = all(isinstance(change.get(key, ""), str) for key in ("name", "previous", "previous_source"))
    if "name" not in change or not named or not all(d is None or isinstance(d, Mapping) for d in documents):
        raise unreadable(number, "it holds a change that is not whole")
    if not isinstance(change.get("id", 0), int):
        raise unreadable(number, "it holds a change of no task")


def unreadable(number: int, reason: str) -> TaskcfgError:
    """Return the error for a revision whose record somebody else wrote to."""
    return TaskcfgError(
        f"what revision {number} recorded cannot be read: {reason}",
        hint="somebody changed it in the database: restore `revision.changes` from a backup",
    )


def changed_fields(change: Recorded) -> tuple[FieldChange, ...]:
    """Return the fields in which the task differs after *change*; of a new one all, of a deleted one none."""
    before, after = change["before"], change["after"]
    if after is None:
        return ()
    if before is None:
        return tuple(FieldChange(path, None, value) for path, value in flattened(after).items())
    return document_changes(before, after)


def recorded_lines(change: Recorded) -> list[str]:
    """Return *change* as lines: what happened to the task, and each field before and after."""
    title = _TITLES[change["action"]].format(name=change["name"], previous=change.get("previous"))
    if "previous_source" in change:
        title += f" (adopted from source `{change['previous_source']}`)"
    fields = [field for field in changed_fields(change) if change["before"] is not None or field.after]
    width = max((len(field.path) for field in fields), default=0)
    return [title, *(f"      {field.path.ljust(width)}  {_values(change, field)}" for field in fields)]


def _values(change: Recorded, field: FieldChange) -> str:
    after = value_text(field.path, field.after)
    if change["before"] is not None and says_the_same(field.before, field.after):
        return f"{after}: its days are others"
    return after if change["before"] is None else f"{value_text(field.path, field.before)} -> {after}"


@dataclass(frozen=True, slots=True)
class Blamed:
    """A field with the value it has, and which of the changes set it; None: somebody did by hand."""

    field: str
    value: Any
    change: int | None


def blame(changes: Sequence[Recorded], live: Mapping[str, Any] | None) -> list[Blamed]:
    """Return who set each field of the task that *changes*, in their order, were done to.

    *live* is its document as it stands; None for one that was retired, or that cannot be read.
    """
    known: Mapping[str, Any] = {}
    set_by: dict[str, int | None] = {}
    for number, change in enumerate(changes):
        if change["after"] is None:
            continue
        if change["before"] is not None and known:
            _set(set_by, known, change["before"], None)
        _set(set_by, change["before"] or {}, change["after"], number)
        known = change["after"]
    if live is not None:
        _set(set_by, known, live, None)
        known = live
    return [Blamed(path, value, set_by.get(path)) for path, value in flattened(known).items()]


def _set(
    set_by: dict[str, int | None], before: Mapping[str, Any], after: Mapping[str, Any], number: int | None
) -> None:
    old, new = flattened(before), flattened(after)
    for path, value in new.items():
        if path not in old or old[path] != value:
            set_by[path] = number


@dataclass(frozen=True, slots=True)
class Revised:
    """A revision as far as the past is worked out from it."""

    number: int
    source: str
    changes: Sequence[Recorded]


@dataclass(frozen=True, slots=True)
class PastTask:
    """A task as a revision left it. `id` is that of its row, None where the revision did not note it yet, and
    `renamed_from` the name it had before its last rename."""

    name: str
    source: str
    document: Mapping[str, Any]
    id: int | None = None
    renamed_from: str | None = None


def tasks_at(revisions: Iterable[Revised], number: int | None = None) -> list[PastTask]:
    """Return the tasks that there were after the revision *number*, or that are there after all of them.

    *revisions* are those of all sources, in their order.
    """
    tasks: dict[_Key, PastTask] = {}
    for revised in revisions:
        if number is not None and revised.number > number:
            break
        _carry_out(tasks, revised)
    return list(tasks.values())


_Key = int | tuple[str, str]
"""The id of a task's row, or its source and name where that is not known."""


def _carry_out(tasks: dict[_Key, PastTask], revised: Revised) -> None:
    before = [_taken(tasks, change, revised.source) for change in revised.changes]
    for change, was in zip(revised.changes, before, strict=True):
        if change["after"] is None:
            continue
        name, id_ = change["name"], change.get("id")
        renamed_from = change.get("previous", was and was.renamed_from)
        key = (revised.source, name) if id_ is None else id_
        tasks[key] = PastTask(name, revised.source, change["after"], id_, renamed_from)


def _taken(tasks: dict[_Key, PastTask], change: Recorded, source: str) -> PastTask | None:
    """Take out the task that *change* was done to, as it was before."""
    place = change.get("previous_source", source), change.get("previous", change["name"])
    found = tasks.pop(change["id"], None) if "id" in change else None
    return found or tasks.pop(place, None)
