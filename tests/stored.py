"""A database with tasks in it, and the few steps that tests of the store take again and again."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import Engine, Row, delete, select, update

from taskcfg.spec.advance import advance
from taskcfg.spec.fires import Confirmed, Dispatched, Outgoing, Receipt
from taskcfg.spec.instants import rfc3339
from taskcfg.spec.task import TaskSpec
from taskcfg.store import calendars, nodes, schema, task_configs
from taskcfg.store.columns import in_seconds
from taskcfg.store.database import applying, database_time, open_database, reading, writing
from taskcfg.store.firing import EventFiring
from taskcfg.store.outbox import EventOutbox
from taskcfg.store.tables import node, schedule_event, task_config, task_execution

LEASE = timedelta(minutes=5)


@contextmanager
def opened(url: str) -> Iterator[Engine]:
    """The database at *url* with this version's tables."""
    database = open_database(url, role="test")
    try:
        schema.upgrade(database)
        yield database
    finally:
        database.dispose()


class World:
    """One scheduler's view of a database. `node` is its id, registered and alive."""

    def __init__(self, database: Engine) -> None:
        self.database = database
        self.node = self.new_node()
        self.firing = EventFiring(database, self.node)
        self.outbox = EventOutbox(database, self.node)

    def new_node(self, kind: str = nodes.SCHEDULER, *, queues: Sequence[str] | None = None) -> UUID:
        node = uuid4()
        nodes.register(self.database, node, kind=kind, name="n", host="h", pid=1, lease=LEASE, queues=queues)
        return node

    def kill_node(self, node: UUID) -> None:
        nodes.renew(self.database, node, timedelta(seconds=-1))

    def forget_nodes(self) -> None:
        with writing(self.database) as connection:
            connection.execute(delete(node))

    def add(self, *specs: TaskSpec, source: str = "main") -> dict[str, int]:
        """Insert *specs*; return the ids of the source's live tasks by name."""
        with applying(self.database, 5) as connection:
            calendars.save_calendars(connection, specs)
            task_configs.insert_tasks(connection, specs, source, "c0ffee")
            return {name: row.id for name, row in task_configs.live_tasks(connection, source).items()}

    def let_come_due(self, *names: str, late: timedelta = timedelta(seconds=1)) -> datetime:
        """Make the tasks (all that are to fire, without names) due since *late* ago; return when.

        An interval is anchored anew, so that this instant is a nominal time of it.
        """
        c = task_config.c
        with writing(self.database) as connection:
            past = database_time(connection) - late
            for row in connection.execute(
                select(c.id, c.name, c.schedule).where(c.next_fire_at.is_not(None))
            ):
                if names and row.name not in names:
                    continue
                values: dict[str, Any] = {"next_nominal_at": past, "next_fire_at": past}
                if "every" in row.schedule:
                    values["schedule"] = {**row.schedule, "anchor": rfc3339(past)}
                connection.execute(update(task_config).where(c.id == row.id).values(values))
            return past

    def let_fire(self, *names: str, late: timedelta = timedelta(seconds=1)) -> list[Outgoing]:
        """Let the tasks come due and make one pass."""
        self.let_come_due(*names, late=late)
        return self.make_pass()

    def make_pass(self, limit: int = 500) -> list[Outgoing]:
        firing_pass = self.firing.begin_pass(limit)
        return firing_pass.commit([advance(task, firing_pass.now) for task in firing_pass.due])

    def publish(self, fires: Sequence[Outgoing], receipt: Receipt | None = None) -> None:
        self.outbox.record([(fire, receipt or Confirmed()) for fire in fires])

    def tasks(self) -> dict[str, Row[Any]]:
        with reading(self.database) as connection:
            return {row.name: row for row in connection.execute(select(task_config))}

    def task(self, name: str) -> Row[Any]:
        return self.tasks()[name]

    def events(self) -> list[Row[Any]]:
        with reading(self.database) as connection:
            query = select(schedule_event).order_by(schedule_event.c.nominal_at, schedule_event.c.id)
            return list(connection.execute(query))

    def event(self, id_: UUID | None = None) -> Row[Any]:
        """Return the event *id_*, or the only one there is."""
        (row,) = [row for row in self.events() if id_ is None or row.id == id_]
        return row

    def executions(self) -> list[Row[Any]]:
        with reading(self.database) as connection:
            query = select(task_execution).order_by(task_execution.c.attempt, task_execution.c.id)
            return list(connection.execute(query))

    def change_task(self, name: str, /, **values: Any) -> None:
        """Change a row by hand."""
        with writing(self.database) as connection:
            connection.execute(update(task_config).where(task_config.c.name == name).values(values))

    def change_events(self, **values: Any) -> None:
        with writing(self.database) as connection:
            connection.execute(update(schedule_event).values(values))

    def put_off(self, event_id: UUID, duration: timedelta) -> None:
        """Let an event wait for its next attempt."""
        with writing(self.database) as connection:
            later = in_seconds(duration.total_seconds())
            chosen = update(schedule_event).where(schedule_event.c.id == event_id)
            connection.execute(chosen.values(next_attempt_at=later))

    def change_executions(self, **values: Any) -> None:
        with writing(self.database) as connection:
            connection.execute(update(task_execution).values(values))


def delivered(fire: Outgoing | Row[Any], *, boot: UUID | None = None, celery_retry: int = 0) -> Dispatched:
    """Return what the message of *fire*, or of an event's row, says on a worker."""
    event_id = fire.event_id if isinstance(fire, Outgoing) else fire.id
    return Dispatched(event_id, fire.dispatch_no, fire.celery_id, celery_retry, "w1@host", boot)
