"""What revisions recorded, read again: as lines, who set which field, and how a source stood. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from taskcfg.reconcile.describe import value_text
from taskcfg.reconcile.plan import FieldChange, document_changes, flattened

Recorded = Mapping[str, Any]
"""One element of a revision's `changes`: `action`, `name`, `before` and `after`; `previous` of a rename, and
`previous_source` of a task that was adopted."""

_TITLES = {
    "create": "  + {name} created",
    "update": "  ~ {name} updated",
    "rename": "  > {name} renamed (was {previous})",
    "delete": "  - {name} deleted",
}


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


def state_at(
    revisions: Iterable[Revised], source: str, number: int | None = None
) -> dict[str, tuple[Mapping[str, Any], str]]:
    """Return the tasks that *source* had after the revision *number*, or has after all of them: the document
    of each, and the name that the same task has now. *revisions* are those of all sources, in their order.
    """
    then: dict[str, Mapping[str, Any]] = {}
    names: dict[str, str] = {}
    for revised in revisions:
        if number is None or revised.number <= number:
            _carry_out(then, revised, source)
            names = {name: name for name in then}
        else:
            moved = dict(_renamed(revised, source))
            names = {name: moved.get(now, now) for name, now in names.items()}
    return {name: (document, names[name]) for name, document in then.items()}


def _carry_out(tasks: dict[str, Mapping[str, Any]], revised: Revised, source: str) -> None:
    for change in revised.changes:
        left = change["name"] if change["after"] is None else change.get("previous")
        if revised.source == source and left is not None:
            tasks.pop(left, None)
        if change.get("previous_source") == source:
            tasks.pop(change["name"], None)
    if revised.source == source:
        tasks.update((c["name"], c["after"]) for c in revised.changes if c["after"] is not None)


def _renamed(revised: Revised, source: str) -> Iterator[tuple[str, str]]:
    for change in revised.changes if revised.source == source else ():
        if "previous" in change:
            yield change["previous"], change["name"]
