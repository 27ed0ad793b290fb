"""The difference between what the files say and what the database says, as ordered changes."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from taskcfg.reconcile.state import LiveTask
from taskcfg.spec.pause import Pause
from taskcfg.spec.task import TaskSpec, canonical_json


@dataclass(frozen=True, slots=True)
class FieldChange:
    """One field, by its dotted path in the task file, with its canonical values before and after."""

    path: str
    before: Any
    after: Any


@dataclass(frozen=True, slots=True)
class Create:
    """A task that is not live. `restores` is the id of the retired row that it revives, if there is one."""

    spec: TaskSpec
    restores: int | None = None

    @property
    def name(self) -> str:
        return self.spec.name


@dataclass(frozen=True, slots=True)
class Update:
    """A live task whose spec differs. `fields` is empty only when the row could not be read."""

    live: LiveTask
    spec: TaskSpec
    fields: tuple[FieldChange, ...]

    @property
    def name(self) -> str:
        return self.spec.name


@dataclass(frozen=True, slots=True)
class Delete:
    """A live task that the files no longer declare: it is retired, its history kept."""

    live: LiveTask

    @property
    def name(self) -> str:
        return self.live.name


Change = Create | Update | Delete


@dataclass(frozen=True, slots=True)
class Summary:
    add: int
    change: int
    delete: int
    rename: int
    unchanged: int


@dataclass(frozen=True, slots=True)
class Plan:
    """The changes in the order they are carried out, and what they leave alone.

    `live` is how many tasks the source had; `declared` how many the files declare. `paused` are
    the pauses over its tasks, by name, which no change ends.
    """

    source: str
    changes: tuple[Change, ...]
    unchanged: tuple[str, ...]
    live: int
    declared: int
    paused: Mapping[str, Pause] = field(default_factory=dict)

    @property
    def has_changes(self) -> bool:
        return bool(self.changes)

    @property
    def summary(self) -> Summary:
        kinds = [type(change) for change in self.changes]
        return Summary(kinds.count(Create), kinds.count(Update), kinds.count(Delete), 0, len(self.unchanged))

    @property
    def fingerprint(self) -> tuple[tuple[Any, ...], ...]:
        """What two plans share exactly when carrying them out does the same."""
        return tuple(_fingerprint(change) for change in self.changes)


def differing(desired: Mapping[str, TaskSpec], live: Mapping[str, LiveTask]) -> list[int]:
    """Return the ids of the live rows a plan will change, whose specs it needs to see."""
    return [row.id for name, row in live.items() if name not in desired or desired[name].digest != row.digest]


def build_plan(
    source: str,
    desired: Mapping[str, TaskSpec],
    live: Mapping[str, LiveTask],
    retired: Mapping[str, int] | None = None,
) -> Plan:
    """Return the shortest list of changes that turns *live* into *desired*.

    Deletes come first, so that a renamed task never runs twice. Within one kind, changes are
    ordered by name. *retired* names the rows that a create revives.
    """
    retired = retired or {}
    deletes = [Delete(live[name]) for name in sorted(live.keys() - desired.keys())]
    creates = [Create(desired[name], retired.get(name)) for name in sorted(desired.keys() - live.keys())]
    updates, unchanged = [], []
    for name in sorted(desired.keys() & live.keys()):
        if desired[name].digest == live[name].digest:
            unchanged.append(name)
        else:
            updates.append(Update(live[name], desired[name], field_changes(live[name].spec, desired[name])))
    return Plan(source, (*deletes, *creates, *updates), tuple(unchanged), len(live), len(desired))


def field_changes(before: TaskSpec | None, after: TaskSpec) -> tuple[FieldChange, ...]:
    """Return the fields in which the two specs differ, in the order of the task file's fields."""
    if before is None:
        return ()
    return tuple(_differences("", before.document(), after.document()))


def _differences(prefix: str, before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[FieldChange]:
    for key in [*after, *(key for key in before if key not in after)]:
        old, new = before.get(key), after.get(key)
        path = f"{prefix}{key}"
        if isinstance(old, Mapping) and isinstance(new, Mapping):
            yield from _differences(f"{path}.", old, new)
        elif (key in before) != (key in after) or canonical_json(old) != canonical_json(new):
            yield FieldChange(path, old, new)


def flattened(document: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Return the fields of *document* by their dotted paths; an empty mapping is a value."""
    fields: dict[str, Any] = {}
    for key, value in document.items():
        if isinstance(value, Mapping) and value:
            fields.update(flattened(value, f"{prefix}{key}."))
        else:
            fields[f"{prefix}{key}"] = value
    return fields


def _fingerprint(change: Change) -> tuple[Any, ...]:
    match change:
        case Create(spec, restores):
            return ("create", spec.name, spec.digest, restores)
        case Update(live, spec, _):
            return ("update", spec.name, spec.digest, live.id, live.digest)
        case Delete(live):
            return ("delete", live.name, live.id, live.digest)


def names_not_live(desired: Mapping[str, TaskSpec], live: Collection[str]) -> list[str]:
    """Return the declared names that no live row of the source bears, in order."""
    return sorted(name for name in desired if name not in live)
