"""Old history, of the tasks that a selection means."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

from taskcfg.control.names import choose
from taskcfg.spec.selection import ALL, Selection
from taskcfg.store.database import Engine, reading
from taskcfg.store.purging import BATCH, Old, Purged, count_old, purge_old


@dataclass(frozen=True, slots=True)
class Purge:
    """What to delete: see `Old`; of the tasks of *selection*, retired ones too. `batch` in a transaction."""

    selection: Selection
    age: timedelta | None = None
    keep: int | None = None
    states: Collection[str] | None = None
    batch: int = BATCH

    def old(self, database: Engine) -> Old:
        """Return the fires meant. Raises UnknownTask."""
        task_ids = None
        if self.selection.narrows:
            with reading(database) as connection:
                chosen = choose(connection, replace(self.selection, states=(ALL,)))
            task_ids = tuple(row.id for row in chosen)
        return Old(self.age, self.keep, task_ids, self.states)


def count(database: Engine, purge: Purge) -> Purged:
    """Return how much would be deleted. Raises UnknownTask."""
    return count_old(database, purge.old(database))


def carry_out(database: Engine, purge: Purge) -> Iterator[Purged]:
    """Delete, yielding what each transaction deleted. Raises UnknownTask."""
    return purge_old(database, purge.old(database), purge.batch)


def purge_document(purged: Purged, *, dry_run: bool) -> dict[str, Any]:
    """Return the JSON shape of `taskcfg purge`."""
    return {"events": purged.events, "executions": purged.executions, "dry_run": dry_run}
