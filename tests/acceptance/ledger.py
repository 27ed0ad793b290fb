"""A checker in the manner of Jepsen's Chronos checker: what should have run, what was recorded, what ran.

It reads three independent witnesses: `schedule_event`, `task_execution`, and the log that the
tasks' own bodies append to.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import Any
from uuid import UUID

from sqlalchemy import Engine, create_engine, select

from taskcfg.spec.audit.books import AuditedAttempt, Note
from taskcfg.spec.audit.notes import BEGAN, ENDED, check_notes
from taskcfg.spec.audit.verdict import Fault, Verdict
from taskcfg.store.audit import attempts_at, audit_books, snapshot
from taskcfg.store.database import open_database
from taskcfg.store.late import Patience
from taskcfg.store.tables import schedule_event, task_config, task_execution

EVER = timedelta(days=10_000)

WORK = '''
import os, time
from taskcfg import Fire, Params, task_type

class WorkParams(Params):
    """How long to work, in seconds."""
    seconds: float = 0.0

def note(word, fire):
    descriptor = os.open(os.environ["LEDGER"], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.write(descriptor, f"{word} {fire.task} {fire.id} {fire.attempt} {fire.celery_id}\\n".encode())
    os.close(descriptor)

@task_type("work")
def work(params: WorkParams, fire: Fire) -> dict[str, int]:
    """Note in the ledger that it began and that it ended."""
    note("began", fire)
    time.sleep(params.seconds)
    note("ended", fire)
    return {"attempt": fire.attempt}
'''


@dataclass(frozen=True)
class Event:
    task: str
    id: str
    kind: str
    state: str
    nominal_at: datetime
    created_at: datetime
    node: str | None
    span_end: datetime | None
    span_count: int | None
    executions: tuple[str, ...]


@dataclass(frozen=True)
class Ledger:
    """The events with the states of their executions, and the lines the tasks wrote."""

    events: tuple[Event, ...]
    lines: tuple[tuple[str, ...], ...]
    place: tuple[str, Path | None]

    @cached_property
    def verdict(self) -> Verdict:
        """What the audit finds now: that of `taskcfg doctor --audit`, and the tasks' own log besides."""
        return audited(*self.place)

    def gaps(self) -> list[str]:
        """Return the nominal times, of whatever schedule a task had then, that nothing stands for."""
        return [str(finding) for finding in self.verdict.gaps]

    def doubles(self) -> list[str]:
        """Return what was recorded, started, begun, ended, or succeeded twice."""
        return [str(finding) for finding in self.verdict.doubles]

    def contradictions(self) -> list[str]:
        """Return what fired at a time of its own, and where the books or the log do not agree."""
        found = self.verdict.found
        return [str(finding) for finding in (*found[Fault.EXTRA], *found[Fault.CONTRADICTION])]

    def unfinished(self) -> list[Event]:
        return [event for event in self.events if event.state in ("pending", "waiting", "published")]

    def without_success(self) -> list[Event]:
        """Return the events that were to run and have no succeeded execution."""
        silent = ("missed", "skipped", "expired", "cancelled")
        return [e for e in self.events if e.state not in silent and e.executions.count("succeeded") != 1]


def read_ledger(database_url: str, log: Path | None = None, tasks: str = "%") -> Ledger:
    """Read all three witnesses; of the tasks whose names are like *tasks*."""
    database = create_engine(database_url)
    try:
        with database.connect() as connection:
            # events first: one that is done has its executions closed in the same transaction
            rows = connection.execute(
                select(schedule_event, task_config.c.name)
                .join(task_config, task_config.c.id == schedule_event.c.task_config_id)
                .where(task_config.c.name.like(tasks))
            ).all()
            executions: dict[Any, list[str]] = {}
            for event_id, state in connection.execute(
                select(task_execution.c.schedule_event_id, task_execution.c.state)
                .join(task_config, task_config.c.id == task_execution.c.task_config_id)
                .where(task_config.c.name.like(tasks))
                .order_by(task_execution.c.attempt)
            ):
                executions.setdefault(event_id, []).append(state)
    finally:
        database.dispose()
    events = tuple(_event(row, executions.get(row.id, ())) for row in rows)
    return Ledger(events, _lines(log), (database_url, log))


def audited(database_url: str, log: Path | None = None) -> Verdict:
    """Audit all that is recorded, and compare it with what the tasks of type `work` noted."""
    database = open_database(database_url, role="test")
    try:
        began = [line for line in _lines(log) if line[0] == BEGAN]
        verdict = audit_books(database, EVER, Patience()).verdict
        if log is not None:
            attempts, tasks = _attempts(database)
            ended = [line for line in _lines(log) if line[0] == ENDED]
            for finding in check_notes([*map(_note, began), *map(_note, ended)], attempts, tasks):
                verdict.add(finding)
    finally:
        database.dispose()
    return verdict


def _attempts(database: Engine) -> tuple[list[AuditedAttempt], dict[UUID, str]]:
    with snapshot(database) as connection:
        e, c = schedule_event.c, task_config.c
        of_work = select(e.id, c.name).join(task_config, c.id == e.task_config_id).where(c.type == "work")
        tasks: dict[UUID, str] = {row.id: row.name for row in connection.execute(of_work)}
        found = attempts_at(connection, list(tasks))
    return [attempt for each in found.values() for attempt in each], tasks


def _lines(log: Path | None) -> tuple[tuple[str, ...], ...]:
    text = log.read_text() if log and log.exists() else ""
    return tuple(tuple(line.split()) for line in text.splitlines())


def _note(line: tuple[str, ...]) -> Note:
    word, task, fire, attempt, celery_id = line
    return Note(word, task, UUID(fire), int(attempt), UUID(celery_id))


def _event(row: Any, executions: Iterable[str]) -> Event:
    return Event(
        task=row.name,
        id=str(row.id),
        kind=row.kind,
        state=row.state,
        nominal_at=row.nominal_at,
        created_at=row.created_at,
        node=str(row.node_id) if row.node_id else None,
        span_end=row.span_end,
        span_count=row.span_count,
        executions=tuple(executions),
    )
