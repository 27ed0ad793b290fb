"""Which rows a selection means, and what is read of them without their history."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Select, Text, cast, select

from taskcfg.spec.pause import Pause
from taskcfg.spec.selection import Selection
from taskcfg.spec.task import TaskSpec, TaskState
from taskcfg.store.bulk import among
from taskcfg.store.calendars import with_calendars
from taskcfg.store.spec_columns import SPEC_SELECTION, UNREADABLE, labels_of, spec_of
from taskcfg.store.tables import task_config
from taskcfg.store.task_list import PAUSE_SELECTION, TASKS_AND_PAUSES, pause_of, task_state

_c = task_config.c


@dataclass(frozen=True, slots=True)
class Selected:
    """A row that is meant."""

    id: int
    name: str
    state: TaskState


@dataclass(frozen=True, slots=True)
class Declared:
    """What a row says of itself, and the pause over it; `spec` is None where the row cannot be read.

    All nominal times before `next_nominal_at` have been taken care of; None where none is to come.
    """

    name: str
    spec: TaskSpec | None
    pause: Pause | None
    next_nominal_at: datetime | None


def selected(connection: Connection, selection: Selection) -> list[Selected]:
    """Return the rows that *selection* means, by name; where it asks for retired ones, a name may repeat."""
    labelled = [cast(_c.labels, Text).label("labels")] if selection.labels else []
    query = select(_c.id, _c.name, _c.type, task_state().label("state"), *labelled)
    query = _narrowed(connection, query.select_from(TASKS_AND_PAUSES), selection)
    return [
        Selected(row.id, row.name, TaskState(row.state))
        for row in connection.execute(query.order_by(_c.name, _c.id))
        if selection.matches(row.name, row.type, labels_of(row.labels) if selection.labels else {})
    ]


def declared(connection: Connection, ids: Collection[int]) -> list[Declared]:
    """Return the tasks *ids*, by name."""
    query = select(*SPEC_SELECTION, *PAUSE_SELECTION, _c.next_nominal_at).select_from(TASKS_AND_PAUSES)
    found = []
    rows = connection.execute(query.where(among(connection, _c.id, ids)).order_by(_c.name, _c.id))
    for row in with_calendars(connection, rows):
        try:
            spec = spec_of(row)
        except UNREADABLE:
            spec = None
        found.append(Declared(row.name, spec, pause_of(row), row.next_nominal_at))
    return found


def labels_by_name(connection: Connection) -> dict[str, Mapping[str, str]]:
    """Return the labels of every live task, by name and in its order."""
    query = select(_c.name, cast(_c.labels, Text)).where(_c.retired_at.is_(None)).order_by(_c.name)
    return {name: labels_of(labels) for name, labels in connection.execute(query)}


def names_by_life(connection: Connection) -> dict[str, bool]:
    """Return every name there is, with whether a live task bears it."""
    names: dict[str, bool] = {}
    for name, live in connection.execute(select(_c.name, _c.retired_at.is_(None))):
        names[name] = names.get(name, False) or live
    return names


def _narrowed(connection: Connection, query: Select[Any], selection: Selection) -> Select[Any]:
    """Let the database leave out what it can."""
    states = selection.wanted_states
    if len(states) < len(TaskState):
        query = query.where(task_state().in_([state.value for state in states]))
    if TaskState.RETIRED not in states:
        query = query.where(_c.retired_at.is_(None))
    if selection.names and not selection.globs:
        query = query.where(among(connection, _c.name, selection.names))
    if selection.types:
        query = query.where(among(connection, _c.type, selection.types))
    return query
