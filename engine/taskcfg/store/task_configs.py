"""The tasks in the database: what a plan compares with, and what an apply writes."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Text,
    case,
    cast,
    exists,
    literal,
    or_,
    select,
    true,
    update,
)

from taskcfg.problems import Position
from taskcfg.reconcile.state import Bearer, LiveTask, Owner
from taskcfg.spec.fire_time import coming_after, fire_time, same_times
from taskcfg.spec.fires import LIVE_STATES, EventKind, EventState
from taskcfg.spec.task import TaskSpec
from taskcfg.store.bulk import among, insert_rows, update_rows
from taskcfg.store.calendars import with_calendars
from taskcfg.store.columns import db_now, is_one_of
from taskcfg.store.database import database_time
from taskcfg.store.spec_columns import SPEC_SELECTION, UNREADABLE, columns_of, spec_of
from taskcfg.store.tables import schedule_event, task_config, task_pause

_c = task_config.c
_NO_ERROR = {"error_reason": None, "error_count": 0, "error_retry_at": None}
UNREADABLE_DIGEST = "unreadable"
"""The digest of a row that somebody changed into what is no spec: it equals no other."""


def live_tasks(connection: Connection, source: str) -> dict[str, LiveTask]:
    """Return the source's rows that are not retired, by name, without their specs.

    Where somebody changed a row by hand, its digest is computed from what it says now.
    """
    return _live(connection, _c.source == source)


def drifted_tasks(connection: Connection) -> dict[str, str]:
    """Return the live tasks whose rows no longer say what was applied, each with its source, by name."""
    query = select(_c.id, _c.name, _c.source, _c.spec_digest).where(
        _c.version != _c.applied_version, _c.retired_at.is_(None)
    )
    rows = connection.execute(query.order_by(_c.name)).all()
    specs = specs_of(connection, [row.id for row in rows])
    return {
        row.name: row.source for row in rows if row.id not in specs or specs[row.id].digest != row.spec_digest
    }


def adopted_tasks(connection: Connection, owners: Mapping[str, Owner]) -> dict[str, LiveTask]:
    """Return the live rows of these names, as `live_tasks` does, each with the source that has it."""
    found = _live(connection, among(connection, _c.name, owners)) if owners else {}
    return {name: replace(row, source=owners[name].source) for name, row in found.items()}


def _live(connection: Connection, which: ColumnElement[bool]) -> dict[str, LiveTask]:
    rows = connection.execute(
        select(
            _c.id, _c.name, _c.spec_digest, _c.version, _c.applied_version, _c.protect, _c.renamed_from
        ).where(which, _c.retired_at.is_(None))
    ).all()
    specs = specs_of(connection, [row.id for row in rows if row.version != row.applied_version])
    live = {}
    for id_, name, applied, version, applied_version, protect, renamed_from in rows:
        digest = applied
        if version != applied_version:
            digest = specs[id_].digest if id_ in specs else UNREADABLE_DIGEST
        live[name] = LiveTask(
            id_, name, digest, version, applied_version, protect,
            renamed_from=renamed_from, applied_digest=applied,
        )  # fmt: skip
    return live


def places_of(connection: Connection, source: str) -> dict[str, Position]:
    """Return where the source's live tasks are declared, by name, as far as it is known."""
    query = select(_c.name, _c.file, _c.line).where(_c.source == source, _c.retired_at.is_(None))
    return {row.name: Position(row.file, row.line or 0) for row in connection.execute(query) if row.file}


def specs_of(connection: Connection, ids: Collection[int]) -> dict[int, TaskSpec]:
    """Return the specs of the rows *ids*, by id, but for those that cannot be read."""
    if not ids:
        return {}
    specs = {}
    rows = connection.execute(select(*SPEC_SELECTION).where(among(connection, _c.id, ids)))
    for row in with_calendars(connection, rows):
        try:
            specs[row.id] = spec_of(row)
        except UNREADABLE:
            continue
    return specs


def owners(connection: Connection, names: Collection[str] | None = None) -> dict[str, Owner]:
    """Return, of *names* (default: of all), those that a live row of any source bears, with that source."""
    if names is not None and not names:
        return {}
    asked = true() if names is None else among(connection, _c.name, names)
    found = connection.execute(
        select(_c.name, _c.source, _c.file, _c.line).where(_c.retired_at.is_(None), asked)
    )
    return {row.name: Owner(row.source, row.file, row.line) for row in found}


def bearers(connection: Connection, ids: Mapping[str, int]) -> dict[str, Bearer]:
    """Return the rows *ids*, by the names they are given here: as they are called now, retired or not.

    One that is no longer there is left out.
    """
    query = select(_c.id, _c.name, _c.source, _c.retired_at.is_not(None)).where(
        among(connection, _c.id, ids.values())
    )
    found = {row.id: Bearer(*row) for row in connection.execute(query)} if ids else {}
    return {name: found[id_] for name, id_ in ids.items() if id_ in found}


def retired(connection: Connection, source: str, names: Collection[str] | None = None) -> dict[str, int]:
    """Return, of *names* (default: of all), those that *source* had and retired, with the id of the newest
    such row."""
    if names is not None and not names:
        return {}
    asked = true() if names is None else among(connection, _c.name, names)
    found = connection.execute(
        select(_c.name, _c.id)
        .where(_c.source == source, _c.retired_at.is_not(None), asked)
        .order_by(_c.retired_at, _c.id)
    )
    return {row.name: row.id for row in found}


def insert_tasks(
    connection: Connection, specs: Sequence[TaskSpec], source: str, commit: str | None
) -> dict[str, int]:
    """Add tasks that are new, firing from now on. Returns their ids, by name."""
    shared = {"source": source, "commit": commit, "created_at": db_now(), "updated_at": db_now()}
    insert_rows(connection, task_config, _scheduled(connection, specs), shared=shared)
    query = select(_c.name, _c.id).where(
        _c.retired_at.is_(None), among(connection, _c.name, [spec.name for spec in specs])
    )
    return {row.name: row.id for row in connection.execute(query)} if specs else {}


def update_tasks(
    connection: Connection, specs: Mapping[int, TaskSpec], source: str, commit: str | None
) -> None:
    """Make the rows, which are *source*'s from now on, say what *specs*, by id, say, firing by the new
    schedule from now on.

    Expects what is due under the old one to be recorded already. A task whose times stay the same goes
    on where it stands. A paused task stays paused; one that was in error is so no more; one that is
    disabled by this loses its scheduled fires that have not started, and keeps those that somebody
    asked for.
    """
    off = [id_ for id_, spec in specs.items() if not spec.enabled]
    disabled = connection.scalars(select(_c.id).where(among(connection, _c.id, off), _c.enabled)).all()
    scheduled_rows = _going_on(connection, specs, _scheduled(connection, specs.values()))
    _write(
        connection,
        specs,
        scheduled_rows,
        {"source": source, "commit": commit, "updated_at": db_now(), **_NO_ERROR},
    )
    scheduled = schedule_event.c.kind == EventKind.SCHEDULED
    _cancel_fires(connection, disabled, "cancelled: the task was disabled", scheduled)


def free_names(connection: Connection, ids: Collection[int]) -> None:
    """Give the rows names that no task can have, so that others may get theirs."""
    if ids:
        unlike_any = literal("~").concat(cast(_c.id, Text))
        connection.execute(update(task_config).where(among(connection, _c.id, ids)).values(name=unlike_any))


def revive_tasks(
    connection: Connection, specs: Mapping[int, TaskSpec], source: str, commit: str | None
) -> None:
    """Bring retired rows back as *source*'s under *specs*, by id, firing from now on; their history is theirs
    again."""
    shared = {"source": source, "commit": commit, "updated_at": db_now(), "retired_at": None, **_NO_ERROR}
    _write(connection, specs, _scheduled(connection, specs.values()), shared)


def retire_tasks(connection: Connection, ids: Collection[int]) -> None:
    """Stop the tasks for good: they fire no more, and what has not started yet is cancelled."""
    if not ids:
        return
    stopped = {"next_nominal_at": None, "next_fire_at": None, "error_retry_at": None}
    connection.execute(
        update(task_config)
        .where(among(connection, _c.id, ids))
        .values(retired_at=db_now(), updated_at=db_now(), **stopped)
    )
    _cancel_fires(connection, ids, "cancelled: the task was deleted")


def refresh_places(
    connection: Connection, source: str, specs: Iterable[TaskSpec], commit: str | None
) -> None:
    """Note where tasks that did not change stand in the files now. Their version stays.

    A row that was changed by hand and is back to what was applied counts as applied again.
    """
    desired = {spec.name: spec for spec in specs}
    rows = connection.execute(
        select(_c.id, _c.name, _c.file, _c.line, _c.renamed_from, _c.version, _c.applied_version).where(
            _c.source == source, _c.retired_at.is_(None)
        )
    )
    moved = []
    for id_, name, file, line, renamed_from, version, applied_version in rows:
        spec = desired.get(name)
        if spec is None:
            continue
        place = (spec.position.file, spec.position.line) if spec.position else (None, None)
        told = (*place, spec.renamed_from)
        if told != (file, line, renamed_from) or version != applied_version:
            moved.append(
                {
                    "id": id_,
                    "file": place[0],
                    "line": place[1],
                    "renamed_from": spec.renamed_from,
                    "applied_version": version,
                    "spec_digest": spec.digest,
                }
            )
    update_rows(connection, task_config, moved, shared={"commit": commit})


def _write(
    connection: Connection,
    specs: Mapping[int, TaskSpec],
    columns: Sequence[dict[str, Any]],
    shared: Mapping[str, Any],
) -> None:
    if not specs:
        return
    rows = [{"id": id_, **row} for id_, row in zip(specs, columns, strict=True)]
    # The trigger raises the version by one, where the spec really is another.
    update_rows(connection, task_config, rows, shared={**shared, "applied_version": _c.version + 1})
    paused = exists().where(task_pause.c.task_config_id == _c.id)
    connection.execute(
        update(task_config)
        .where(among(connection, _c.id, specs), or_(_c.applied_version != _c.version, paused))
        .values(applied_version=_c.version, next_fire_at=case((paused, None), else_=_c.next_fire_at))
    )


def _scheduled(connection: Connection, specs: Iterable[TaskSpec]) -> list[dict[str, Any]]:
    """Return the columns of *specs* with the time each fires next, from the database's now."""
    now = database_time(connection)

    rows = []
    for spec in specs:
        coming = coming_after(spec, now) if spec.enabled else None
        nominal, fire = coming or (None, None)
        rows.append({**columns_of(spec), "next_nominal_at": nominal, "next_fire_at": fire})
    return rows


def _going_on(
    connection: Connection, specs: Mapping[int, TaskSpec], columns: Sequence[dict[str, Any]]
) -> Sequence[dict[str, Any]]:
    """Return *columns*, of *specs*, with the times that the rows have where the new spec moves none.

    One in error has no fire time, but is to tell of what it missed since.
    """
    if not specs:
        return columns
    times = (_c.next_nominal_at, _c.next_fire_at)
    query = select(*SPEC_SELECTION, *times).where(
        among(connection, _c.id, specs), _c.next_nominal_at.is_not(None)
    )
    standing = {}
    for row in with_calendars(connection, connection.execute(query)):
        spec = specs[row.id]
        try:
            same = same_times(spec_of(row), spec)
        except UNREADABLE:
            continue
        if same and spec.enabled:
            fire = row.next_fire_at or fire_time(spec.name, spec.policy.jitter, row.next_nominal_at)
            standing[row.id] = {"next_nominal_at": row.next_nominal_at, "next_fire_at": fire}
    return [{**row, **standing.get(id_, {})} for id_, row in zip(specs, columns, strict=True)]


def _cancel_fires(
    connection: Connection, task_ids: Collection[int], reason: str, *which: ColumnElement[bool]
) -> None:
    if not task_ids:
        return
    event = schedule_event.c
    # In order of id, as the relay takes them: two transactions never wait for each other.
    chosen = (
        select(event.id)
        .where(
            among(connection, event.task_config_id, task_ids),
            is_one_of(event.state, *LIVE_STATES),
            event.state != EventState.PUBLISHED,
            *which,
        )
        .order_by(event.id)
        .with_for_update(key_share=True)
    )
    connection.execute(
        update(schedule_event)
        .where(event.id.in_(chosen))
        .values(state=EventState.CANCELLED, reason=reason, done_at=db_now())
    )
