"""The tasks as an audit sees them: which schedule each had when."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Row, or_, select

from taskcfg.spec.audit.books import AuditedTask, Era
from taskcfg.spec.audit.eras import Change, Standing, eras_of, unsure_era
from taskcfg.spec.policy import Delivery
from taskcfg.spec.schedule import parts_of, zone_of
from taskcfg.spec.schedule_reading import schedule_from_document
from taskcfg.store.calendars import known_calendar, with_calendars
from taskcfg.store.horizon import Horizon
from taskcfg.store.spec_columns import SPEC_SELECTION, UNREADABLE, spec_of
from taskcfg.store.tables import schedule_event, task_config
from taskcfg.store.told_changes import ToldChange, told_changes

_c = task_config.c
_SELECTION = (
    *SPEC_SELECTION,
    _c.source,
    _c.applied_version,
    _c.next_nominal_at,
    _c.last_nominal_at,
    _c.created_at,
    _c.updated_at,
    _c.retired_at,
)
_SAME_APPLY = timedelta(minutes=1)
"""A row that an apply wrote bears the time of its revision, give or take this."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """From when on an audit judges. Wall clocks can be read since `zones_since`; None: never."""

    since: datetime
    horizon: Horizon
    zones_since: datetime | None


@dataclass(frozen=True, slots=True)
class Chosen:
    """Some tasks; `last_id` is the greatest id among them, None when there are none. `unknown` are the
    names of those of whose schedules nothing is known."""

    tasks: Sequence[AuditedTask]
    last_id: int | None
    unknown: Sequence[str]


def audited_tasks(connection: Connection, bounds: Bounds, after: int, most: int) -> Chosen:
    """Return at most *most* tasks with ids greater than *after* that lived since the audit's start."""
    living = or_(_c.retired_at.is_(None), _c.retired_at > bounds.since)
    query = select(*_SELECTION).where(_c.id > after, living).order_by(_c.id).limit(most)
    rows = with_calendars(connection, connection.execute(query))
    changed = [row for row in rows if row.updated_at > bounds.since]
    changes = _changes(connection, changed, bounds.since)
    tasks, unknown = [], []
    for row in rows:
        eras = _eras(connection, row, changes.get(row.id, []), bounds)
        if not eras and row.retired_at is None and row.enabled:
            unknown.append(row.name)
        times = (row.next_nominal_at, row.last_nominal_at)
        tasks.append(AuditedTask(row.id, row.name, eras, *times, _redispatched_since(row)))
    return Chosen(tasks, rows[-1].id if rows else None, unknown)


def _eras(
    connection: Connection, row: Row[Any], changes: Sequence[Change], bounds: Bounds
) -> tuple[Era, ...]:
    try:
        spec = spec_of(row)
    except UNREADABLE:
        return ()
    standing = Standing(spec.schedule, spec.timezone, spec.enabled)
    since = _known_since(connection, row, standing, changes, bounds)
    if since is None:
        return ()
    if row.version != row.applied_version:
        return unsure_era(standing, row.version, since) if row.retired_at is None else ()
    if row.updated_at > bounds.since and not _explained(row, changes):
        changes, since = (), max(since, row.updated_at)
    if row.retired_at is not None and not changes:
        return ()
    later = [change for change in changes if change.at > since]
    return eras_of(None if row.retired_at is not None else standing, row.version, later, since)


def _known_since(
    connection: Connection, row: Row[Any], standing: Standing, changes: Sequence[Change], bounds: Bounds
) -> datetime | None:
    """Return from when on all that was recorded for the task is there and can be worked out, if at all."""
    known = [bounds.since, _history_since(connection, row.id, bounds)]
    every = [standing, *(change.standing for change in changes if change.standing is not None)]
    if any(_reads_clocks(each) for each in every):
        if bounds.zones_since is None:
            return None
        known.append(bounds.zones_since)
    return max(known)


def _reads_clocks(standing: Standing) -> bool:
    return any(zone_of(part, standing.timezone) != "UTC" for part in parts_of(standing.schedule))


def _history_since(connection: Connection, task_id: int, bounds: Bounds) -> datetime:
    horizon = bounds.horizon
    since = bounds.since if horizon.before is None else max(bounds.since, horizon.before)
    if horizon.counted_until is None or horizon.counted_until <= since:
        return since
    e = schedule_event.c
    newest = select(e.created_at).where(e.task_config_id == task_id).order_by(e.created_at.desc())
    kept_from = connection.scalar(newest.offset(horizon.kept - 1).limit(1))
    return since if kept_from is None else max(since, min(kept_from, horizon.counted_until))


def _redispatched_since(row: Row[Any]) -> datetime | None:
    try:
        delivery = spec_of(row).policy.delivery
    except UNREADABLE:
        return None
    applied = row.version == row.applied_version
    since: datetime | None = row.updated_at if applied and delivery is Delivery.AT_LEAST_ONCE else None
    return since


def _explained(row: Row[Any], changes: Sequence[Change]) -> bool:
    """Say whether the last change of the row is one that a revision tells of."""
    return bool(changes) and abs(changes[-1].at - row.updated_at) <= _SAME_APPLY


def _changes(connection: Connection, rows: Sequence[Row[Any]], since: datetime) -> dict[int, list[Change]]:
    """Return what revisions after *since* did to the tasks in *rows*, by id, whatever they were called."""
    told = told_changes(connection, {row.id: (row.source, row.name) for row in rows}, since)
    return {id_: [_change(each) for each in changes] for id_, changes in told.items()}


def _change(told: ToldChange) -> Change:
    document = told.document
    before = document["before"]
    return Change(told.at, before, document["after"], _standing(before), document.get("edits", 1))


def _standing(document: Mapping[str, Any] | None) -> Standing | None:
    if document is None:
        return None
    try:
        schedule = schedule_from_document(document["schedule"], known_calendar)
        return Standing(schedule, str(document["timezone"]), bool(document["enabled"]))
    except UNREADABLE:
        return None
