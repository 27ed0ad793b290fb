"""The difference between what the files say and what the database says, as ordered changes."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from taskcfg.reconcile.state import LiveTask, Place
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
    """A live task whose spec differs, or that another source has had (`live.source`).

    Without that, `fields` is empty only when the row could not be read.
    """

    live: LiveTask
    spec: TaskSpec
    fields: tuple[FieldChange, ...]

    @property
    def name(self) -> str:
        return self.spec.name


@dataclass(frozen=True, slots=True)
class Rename:
    """A live task that gets another name, and keeps its id, its history and its pause.

    `fields` are those in which it differs besides. `hands_on` says that its old name goes to another task.
    """

    live: LiveTask
    spec: TaskSpec
    fields: tuple[FieldChange, ...]
    hands_on: bool = False

    @property
    def name(self) -> str:
        return self.spec.name

    @property
    def previous(self) -> str:
        return self.live.name


@dataclass(frozen=True, slots=True)
class Delete:
    """A live task that the files no longer declare: it is retired, its history kept.

    `refused_name` is the one that a `renamed_from` asks for it, and that another live task keeps.
    """

    live: LiveTask
    refused_name: str | None = None

    @property
    def name(self) -> str:
        return self.live.name


Change = Create | Update | Rename | Delete


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
    the pauses over its tasks, by name, which no change ends. `moved` says, where the files come from another
    place than before, from which and which.
    """

    source: str
    changes: tuple[Change, ...]
    unchanged: tuple[str, ...]
    live: int
    declared: int
    paused: Mapping[str, Pause] = field(default_factory=dict)
    moved: tuple[Place, Place] | None = None

    @property
    def has_changes(self) -> bool:
        return bool(self.changes)

    @property
    def summary(self) -> Summary:
        kinds = [type(change) for change in self.changes]
        add, change, delete, rename = map(kinds.count, (Create, Update, Delete, Rename))
        return Summary(add, change, delete, rename, len(self.unchanged))

    @property
    def fingerprint(self) -> tuple[tuple[Any, ...], ...]:
        """What two plans share exactly when carrying them out does the same."""
        return tuple(_fingerprint(change) for change in self.changes)


ChangeKey = tuple[type[Change], str]


def key_of(change: Change) -> ChangeKey:
    """Return what tells *change* from the others of its plan: a name may be deleted and given anew in one."""
    return type(change), change.name


def by_name(plan: Plan) -> list[Change]:
    """Return the changes in the order they are shown; they are carried out in the plan's own."""
    return sorted(plan.changes, key=lambda change: change.name)


def bearers(desired: Mapping[str, TaskSpec], live: Mapping[str, LiveTask]) -> dict[str, str]:
    """Return which live task bears each desired name from now on, by the name it has; a new task is left out.

    It is the one that bears the name already, or that was to be renamed to it.
    """
    return {name: name for name in desired if name in live} | renames(desired, live)


def differing(
    desired: Mapping[str, TaskSpec], live: Mapping[str, LiveTask], borne: Mapping[str, str]
) -> list[int]:
    """Return the ids of the live rows a plan will change, whose specs it needs to see."""
    staying = {name for name, now in borne.items() if now == name and _stays(desired[name], live[name])}
    return [row.id for name, row in live.items() if name not in staying]


def _stays(spec: TaskSpec, live: LiveTask) -> bool:
    return spec.digest == live.digest and live.source is None


def build_plan(
    source: str,
    desired: Mapping[str, TaskSpec],
    live: Mapping[str, LiveTask],
    retired: Mapping[str, int] | None = None,
    borne: Mapping[str, str] | None = None,
) -> Plan:
    """Return the shortest list of changes that turns *live* into *desired*.

    Deletes come first, then renames, so that every name is free before it is given. Within one kind,
    changes are ordered by name. *retired* names the rows that a create revives; *borne* says which live
    task bears each name from now on, as `bearers` does, which is asked where it is not given.
    """
    retired = retired or {}
    refused = _refused_names(desired, live) if borne is None else {}
    borne = bearers(desired, live) if borne is None else borne
    previous = {name: now for name, now in borne.items() if now != name}
    deletes = [Delete(live[name], refused.get(name)) for name in sorted(live.keys() - {*borne.values()})]
    renamed = [_rename(live[previous[name]], desired[name], previous) for name in sorted(previous)]
    creates = [Create(desired[name], retired.get(name)) for name in sorted(desired.keys() - borne.keys())]
    updates, unchanged = [], []
    for name in sorted(borne.keys() - previous.keys()):
        if _stays(desired[name], live[name]):
            unchanged.append(name)
        else:
            updates.append(Update(live[name], desired[name], field_changes(live[name].spec, desired[name])))
    own = sum(row.source is None for row in live.values())
    return Plan(source, (*deletes, *renamed, *creates, *updates), tuple(unchanged), own, len(desired))


def _refused_names(desired: Mapping[str, TaskSpec], live: Mapping[str, LiveTask]) -> dict[str, str]:
    """Return the names that a `renamed_from` asks for and other live tasks keep, by the name it says."""
    kept = (live.keys() & desired.keys()) - renames(desired, live).keys()
    asked = {name: desired[name].renamed_from for name in sorted(kept)}
    return {old: name for name, old in asked.items() if old and old != live[name].renamed_from}


def _rename(live: LiveTask, spec: TaskSpec, given: Collection[str]) -> Rename:
    return Rename(live, spec, field_changes(live.spec, spec), live.name in given)


def renames(desired: Mapping[str, TaskSpec], live: Mapping[str, LiveTask]) -> dict[str, str]:
    """Return the tasks that get another name, each with the one it has.

    A rename that was done is not done again, also where its old name has become another task's: the row
    remembers it. A name that another live task keeps is not given, and of two that claim one name the first
    gets it.
    """
    claims = {
        spec.renamed_from: name
        for name, spec in sorted(desired.items(), reverse=True)
        if spec.renamed_from is not None
        and (old := live.get(spec.renamed_from)) is not None
        and old.source is None
        and not (name in live and live[name].renamed_from == spec.renamed_from)
    }
    wanted = {name: old for old, name in claims.items()}
    while kept := {new for new, old in wanted.items() if _is_kept(new, old, wanted, desired, live)}:
        wanted = {new: old for new, old in wanted.items() if new not in kept}
    return wanted


def _is_kept(
    new: str, old: str, wanted: Mapping[str, str], desired: Collection[str], live: Collection[str]
) -> bool:
    """Say whether the new name stays another task's, or the old one with the task that has it."""
    return (new in live and new not in wanted.values()) or (old in desired and old not in wanted)


def field_changes(before: TaskSpec | None, after: TaskSpec) -> tuple[FieldChange, ...]:
    """Return the fields in which the two specs differ, in the order of the task file's fields."""
    return () if before is None else document_changes(before.document(), after.document())


def document_changes(before: Mapping[str, Any], after: Mapping[str, Any]) -> tuple[FieldChange, ...]:
    """Return the same of two canonical documents."""
    return tuple(_differences("", before, after))


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
            return ("update", spec.name, spec.digest, live.id, live.digest, live.source)
        case Rename(live, spec):
            return ("rename", spec.name, spec.digest, live.id, live.digest, live.name, live.source)
        case Delete(live):
            return ("delete", live.name, live.id, live.digest)


def names_not_live(desired: Mapping[str, TaskSpec], live: Collection[str]) -> list[str]:
    """Return the declared names that no live row of the source bears, in order."""
    return sorted(name for name in desired if name not in live)
