"""How everything stands, for `taskcfg status`."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from taskcfg.control.addresses import broker_shown, without_password
from taskcfg.control.documents import scheduler_document, source_document, worker_document
from taskcfg.settings import Settings
from taskcfg.store.database import Engine, reading
from taskcfg.store.nodes import SCHEDULER, WORKER, NodeRow, known_nodes
from taskcfg.store.revisions import SourceRow, read_sources
from taskcfg.store.settings_table import environment
from taskcfg.store.standing import Attention, Standing, attention, standing
from taskcfg.store.task_configs import drifted_tasks

DRIFTED = "changed by hand since it was applied: `taskcfg drift` shows what"


@dataclass(frozen=True, slots=True)
class Status:
    """Sources, nodes (those gone of late too), tasks by state, what waits, and what wants a look."""

    environment: str | None
    database: str
    broker: str
    sources: tuple[SourceRow, ...]
    schedulers: tuple[NodeRow, ...]
    workers: tuple[NodeRow, ...]
    standing: Standing
    attention: tuple[Attention, ...]

    def document(self) -> dict[str, Any]:
        """Return the JSON shape of `taskcfg status`."""
        tasks: dict[str, Any] = {state.value: number for state, number in self.standing.by_state.items()}
        return {
            "environment": self.environment,
            "database": self.database,
            "broker": self.broker,
            "sources": [source_document(source) for source in self.sources],
            "schedulers": [scheduler_document(node) for node in self.schedulers],
            "workers": [worker_document(node) for node in self.workers],
            "tasks": {**tasks, "by_type": dict(self.standing.by_type)},
            "outbox": {"pending": self.standing.pending, "oldest_age": self.standing.oldest_age},
            "attention": [{"task": each.task, "reason": each.reason} for each in self.attention],
        }


def read_status(database: Engine, settings: Settings) -> Status:
    """Read it, as of one moment. Raises DatabaseUnavailable, SchemaMismatch."""
    with reading(database) as connection:
        drifted = drifted_tasks(connection)
        asking = [*attention(connection), *(Attention(name, DRIFTED) for name in drifted)]
        return Status(
            environment=environment(connection),
            database=without_password(settings.database_url),
            broker=broker_shown(settings),
            sources=tuple(
                replace(source, in_sync=False) if source.name in drifted.values() else source
                for source in read_sources(connection)
            ),
            schedulers=tuple(known_nodes(connection, SCHEDULER)),
            workers=tuple(known_nodes(connection, WORKER)),
            standing=standing(connection),
            attention=tuple(sorted(asking, key=lambda each: (each.task, each.reason))),
        )
