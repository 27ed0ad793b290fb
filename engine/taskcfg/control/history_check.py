"""What `taskcfg doctor` says of the length of the history."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from taskcfg.control.findings import Finding, ok, warn
from taskcfg.settings import Settings
from taskcfg.store.database import Engine, reading
from taskcfg.store.purging import history_size
from taskcfg.store.task_list import TaskRow

LARGE = 1_000_000
"""Fires from which on somebody should have said how long they are kept."""


def history(database: Engine, settings: Settings, tasks: Sequence[TaskRow]) -> Iterator[Finding]:
    """Yield whether a long history is kept small by anything that is known here."""
    with reading(database) as connection:
        size = history_size(connection)
    yield history_found(size, kept_small=settings.retention is not None or any(map(_cleans, tasks)))


def history_found(size: int, *, kept_small: bool) -> Finding:
    reason = f"about {size:,} fires are recorded"
    if kept_small or size < LARGE:
        return ok("history", reason)
    hint = (
        'set `retention = {all = "90d", keep = 100}` for the schedulers, or delete some with `taskcfg purge`'
    )
    return warn("history", f"{reason}, and nothing deletes old ones", hint)


def _cleans(task: TaskRow) -> bool:
    spec = task.spec
    return spec is not None and spec.type == "cleanup" and spec.params.get("target") == "schedule_events"
