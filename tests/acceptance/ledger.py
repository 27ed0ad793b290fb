"""A checker in the manner of Jepsen's Chronos checker: what should have run, what was recorded, what ran.

It reads three independent witnesses: `schedule_event`, `task_execution`, and the log that the
tasks' own bodies append to.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import create_engine, select

from taskcfg.store.tables import schedule_event, task_config, task_execution

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
    node: str | None
    span_end: datetime | None
    span_count: int | None
    executions: tuple[str, ...]


@dataclass(frozen=True)
class Ledger:
    """The events with the states of their executions, and the lines the tasks wrote."""

    events: tuple[Event, ...]
    lines: tuple[tuple[str, ...], ...]

    def gaps(self, interval: timedelta) -> list[str]:
        """Return the nominal times between a task's first and last event that none covers."""
        found = []
        for task, events in self._by_task().items():
            covered = {instant for event in events for instant in _covered(event, interval)}
            instant, last = min(covered), max(covered)
            while instant <= last:
                if instant not in covered:
                    found.append(f"{task} {instant}")
                instant += interval
        return found

    def doubles(self) -> list[str]:
        """Return what was recorded twice, or succeeded twice, or whose body ended twice."""
        keys = Counter((event.task, event.nominal_at) for event in self.events if event.kind == "scheduled")
        found = [f"recorded {count} times: {key}" for key, count in keys.items() if count > 1]
        for event in self.events:
            succeeded = event.executions.count("succeeded")
            if succeeded > 1:
                found.append(f"succeeded {succeeded} times: {event}")
        dispatches = Counter((line[2], line[4]) for line in self.lines if line[0] == "began")
        return found + [f"began {count} times: {key}" for key, count in dispatches.items() if count > 1]

    def unfinished(self) -> list[Event]:
        return [event for event in self.events if event.state in ("pending", "waiting", "published")]

    def without_success(self) -> list[Event]:
        """Return the events that were to run and have no succeeded execution."""
        silent = ("missed", "skipped", "expired", "cancelled")
        return [e for e in self.events if e.state not in silent and e.executions.count("succeeded") != 1]

    def _by_task(self) -> dict[str, list[Event]]:
        found: dict[str, list[Event]] = {}
        for event in self.events:
            if event.kind == "scheduled":
                found.setdefault(event.task, []).append(event)
        return found


def read_ledger(database_url: str, log: Path | None = None) -> Ledger:
    """Read all three witnesses."""
    database = create_engine(database_url)
    try:
        with database.connect() as connection:
            # events first: one that is done has its executions closed in the same transaction
            rows = connection.execute(
                select(schedule_event, task_config.c.name).join(
                    task_config, task_config.c.id == schedule_event.c.task_config_id
                )
            ).all()
            executions: dict[Any, list[str]] = {}
            for event_id, state in connection.execute(
                select(task_execution.c.schedule_event_id, task_execution.c.state).order_by(
                    task_execution.c.attempt
                )
            ):
                executions.setdefault(event_id, []).append(state)
    finally:
        database.dispose()
    events = tuple(_event(row, executions.get(row.id, ())) for row in rows)
    text = log.read_text() if log and log.exists() else ""
    return Ledger(events, tuple(tuple(line.split()) for line in text.splitlines()))


def _event(row: Any, executions: Iterable[str]) -> Event:
    return Event(
        task=row.name,
        id=str(row.id),
        kind=row.kind,
        state=row.state,
        nominal_at=row.nominal_at,
        node=str(row.node_id) if row.node_id else None,
        span_end=row.span_end,
        span_count=row.span_count,
        executions=tuple(executions),
    )


def _covered(event: Event, interval: timedelta) -> list[datetime]:
    if event.span_end is None:
        return [event.nominal_at]
    count = (event.span_end - event.nominal_at) // interval + 1
    assert count == event.span_count, f"the span says {event.span_count}, and holds {count}: {event}"
    return [event.nominal_at + number * interval for number in range(count)]
