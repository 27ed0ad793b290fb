"""Reading the books for an audit: a few tasks after the other, each few as of one instant."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import groupby, islice
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Engine, Row, and_, case, select, text

from taskcfg.spec.audit.books import AuditedAttempt, AuditedFire, AuditedTask
from taskcfg.spec.audit.task_audit import TaskAudit
from taskcfg.spec.audit.verdict import Verdict
from taskcfg.spec.fires import EventState
from taskcfg.store.audited_tasks import Bounds, audited_tasks
from taskcfg.store.bulk import among
from taskcfg.store.database import database_time, reading
from taskcfg.store.horizon import read_horizon
from taskcfg.store.late import Patience, late_findings
from taskcfg.store.rezoning import zones_known_since
from taskcfg.store.settings_table import database_uuid
from taskcfg.store.tables import schedule_event, task_execution

TASKS_AT_ONCE = 200
FIRES_AT_ONCE = 1_000
"""So many rows are in memory at once, and so many tasks are read in one transaction."""

_e = schedule_event.c
_x = task_execution.c

_FIRE = (
    _e.task_config_id,
    _e.id,
    _e.kind,
    _e.dedupe_key,
    _e.nominal_at,
    _e.fire_at,
    _e.config_version,
    _e.state,
    _e.reason,
    _e.dispatch_no,
    _e.celery_id,
    _e.attempts,
    _e.span_end,
    _e.span_count,
    _e.lost_count,
    # The message is looked into only where no attempt is to be found.
    case((and_(_e.state == EventState.DONE, _e.attempts == 0), _e.message["gate"].as_boolean())).label(
        "gate"
    ),
)
_ATTEMPT = (
    _x.id,
    _x.schedule_event_id,
    _x.dispatch_no,
    _x.celery_retry,
    _x.attempt,
    _x.celery_id,
    _x.state,
    _x.started_at,
    _x.finished_at,
)


@dataclass(slots=True)
class Audit:
    """What was looked at, from `since` until `until`, by the database's clock, and what was found.

    `unknown` are live tasks of whose schedules nothing is known: their rows cannot be read, or their
    clocks not.
    """

    since: datetime
    until: datetime
    verdict: Verdict = field(default_factory=Verdict)
    unknown: list[str] = field(default_factory=list)


def audit_books(
    database: Engine, since: datetime | timedelta, patience: Patience, *, zones_readable: bool = True
) -> Audit:
    """Audit what was recorded since *since*, or so long ago. Raises DatabaseUnavailable.

    Some tasks at a time, each time in one transaction that only reads and sees one instant, so that
    nothing that goes on meanwhile looks torn. *zones_readable* False: this machine's time zones are not
    those that fire times were worked out with, and only schedules in UTC are judged.
    """
    with snapshot(database) as connection:
        now = database_time(connection)
        database_id = database_uuid(connection)
        since = since if isinstance(since, datetime) else now - min(since, now - _FIRST)
        zones = zones_known_since(connection) or since
        bounds = Bounds(since, read_horizon(connection), zones if zones_readable else None)
        audit = Audit(since, now)
        for finding in late_findings(connection, now, patience):
            audit.verdict.add(finding)
    after: int | None = 0
    while after is not None:
        with snapshot(database) as connection:
            chosen = audited_tasks(connection, bounds, after, TASKS_AT_ONCE)
            audit.unknown += chosen.unknown
            _audit_tasks(connection, audit, database_id, chosen.tasks)
            after = chosen.last_id
    return audit


_FIRST = datetime.fromisoformat("1970-01-01T00:00:00+00:00")


@contextmanager
def snapshot(database: Engine) -> Iterator[Connection]:
    """A transaction that only reads, and all of it as of one instant. Raises DatabaseUnavailable."""
    with reading(database) as connection:
        if connection.dialect.name == "postgresql":
            connection.execute(text("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY"))
        yield connection


def _audit_tasks(
    connection: Connection, audit: Audit, database_id: UUID, tasks: Sequence[AuditedTask]
) -> None:
    waiting = {task.id: TaskAudit(audit.verdict, database_id, task, audit.until) for task in tasks}
    for task_id, rows in groupby(
        _fires(connection, waiting, audit.since), key=lambda row: row.task_config_id
    ):
        with_attempts(connection, waiting.pop(task_id), rows)
    for task in waiting.values():
        task.finish()


def with_attempts(connection: Connection, task: TaskAudit, rows: Iterator[Row[Any]]) -> None:
    """Give *task* its fires with the attempts at each."""
    while batch := list(islice(rows, FIRES_AT_ONCE)):
        attempts = attempts_at(connection, [row.id for row in batch])
        for row in batch:
            task.take(_fire(row), attempts.get(row.id, ()))
    task.finish()


def _fires(connection: Connection, task_ids: Collection[int], since: datetime) -> Iterator[Row[Any]]:
    """Yield the rows of *task_ids* recorded after *since*, task by task, by their nominal times."""
    query = (
        select(*_FIRE)
        .where(among(connection, _e.task_config_id, task_ids), _e.created_at > since)
        .order_by(_e.task_config_id, _e.nominal_at, _e.id)
    )
    return iter(connection.execute(query.execution_options(yield_per=FIRES_AT_ONCE)))


def attempts_at(connection: Connection, fire_ids: Collection[UUID]) -> dict[UUID, list[AuditedAttempt]]:
    """Return all attempts at the fires *fire_ids*, by fire, in their order."""
    query = select(*_ATTEMPT).where(among(connection, _x.schedule_event_id, fire_ids))
    found: dict[UUID, list[AuditedAttempt]] = {}
    for row in connection.execute(query.order_by(_x.schedule_event_id, _x.attempt)):
        found.setdefault(row.schedule_event_id, []).append(AuditedAttempt(*row))
    return found


def _fire(row: Row[Any]) -> AuditedFire:
    return AuditedFire(
        id=row.id,
        kind=row.kind,
        dedupe_key=row.dedupe_key,
        nominal_at=row.nominal_at,
        fire_at=row.fire_at,
        version=row.config_version,
        state=row.state,
        reason=row.reason,
        dispatch_no=row.dispatch_no,
        celery_id=row.celery_id,
        attempts=row.attempts,
        span_end=row.span_end,
        span_count=row.span_count,
        lost_count=row.lost_count,
        gated=row.gate is not False,
    )
