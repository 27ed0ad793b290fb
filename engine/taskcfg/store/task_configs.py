"""The tasks in the database: what a plan compares with, and what an apply writes."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Connection, case, exists, or_, select, update

from taskcfg.reconcile.state import LiveTask
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
    rows = connection.execute(
        select(_c.id, _c.name, _c.spec_digest, _c.version, _c.applied_version, _c.protect).where(
            _c.source == source, _c.retired_at.is_(None)
        )
    ).all()
    specs = specs_of(connection, [row.id for row in rows if row.version != row.applied_version])
    live = {}
    for id_, name, digest, version, applied_version, protect in rows:
        if version != applied_version:
            digest = specs[id_].digest if id_ in specs else UNREADABLE_DIGEST
        live[name] = LiveTask(id_, name, digest, version, applied_version, protect)
    return live


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


def owners(connection: Connection, names: Collection[str]) -> dict[str, str]:
    """Return, of *names*, those that a live row of any source bears, with that source."""
    if not names:
        return {}
    found = connection.execute(
        select(_c.name, _c.source).where(_c.retired_at.is_(None), among(connection, _c.name, names))
    )
    return {row.name: row.source for row in found}


def retired(connection: Connection, source: str, names: Collection[str]) -> dict[str, int]:
    """Return, of *names*, those that *source* had and retired, with the id of the newest such row."""
    if not names:
        return {}
    found = connection.execute(
        select(_c.name, _c.id)
        .where(_c.source == source, _c.retired_at.is_not(None), among(connection, _c.name, names))
        .order_by(_c.retired_at, _c.id)
    )
    return {row.name: row.id for row in found}


def insert_tasks(
    connection: Connection, specs: Sequence[TaskSpec], source: str, commit: str | None
) -> list[int]:
    """Add tasks that are new, firing from now on. Returns their ids, in no particular order."""
    shared = {"source": source, "commit": commit, "created_at": db_now(), "updated_at": db_now()}
    return insert_rows(connection, task_config, _scheduled(connection, specs), shared=shared)


def update_tasks(connection: Connection, specs: Mapping[int, TaskSpec], commit: str | None) -> None:
    """Make the rows say what *specs*, by id, say, firing by the new schedule from now on.

    Expects what is due under the old one to be recorded already. A task whose times stay the same goes
    on where it stands. A paused task stays paused; one that was in error is so no more; one that is
    disabled by this loses its scheduled fires that have not started, and keeps those that somebody
    asked for.
    """
    off = [id_ for id_, spec in specs.items() if not spec.enabled]
    disabled = connection.scalars(select(_c.id).where(among(connection, _c.id, off), _c.enabled)).all()
    scheduled_rows = _going_on(connection, specs, _scheduled(connection, specs.values()))
    _write(connection, specs, scheduled_rows, {"commit": commit, "updated_at": db_now(), **_NO_ERROR})
    scheduled = schedule_event.c.kind == EventKind.SCHEDULED
    _cancel_fires(connection, disabled, "cancelled: the task was disabled", scheduled)


def revive_tasks(connection: Connection, specs: Mapping[int, TaskSpec], commit: str | None) -> None:
    """Bring retired rows back under *specs*, by id, firing from now on; their history is theirs again."""
    shared = {"commit": commit, "updated_at": db_now(), "retired_at": None, **_NO_ERROR}
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
        select(_c.id, _c.name, _c.file, _c.line, _c.version, _c.applied_version).where(
            _c.source == source, _c.retired_at.is_(None)
        )
    )
    moved = []
    for id_, name, file, line, version, applied_version in rows:
        spec = desired.get(name)
        if spec is None:
            continue
        place = (spec.position.file, spec.position.line) if spec.position else (None, None)
        if place != (file, line) or version != applied_version:
            moved.append(
                {
                    "id": id_,
                    "file": place[0],
                    "line": place[1],
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
