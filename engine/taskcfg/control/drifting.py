"""Live against last applied."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from taskcfg.errors import UnknownSource
from taskcfg.reconcile.drift import Drifted, drift, drift_total
from taskcfg.reconcile.past import PastTask, tasks_at
from taskcfg.store import past
from taskcfg.store.database import Connection
from taskcfg.store.live_state import StoredState
from taskcfg.store.revisions import current_revision, read_sources


@dataclass(frozen=True, slots=True)
class DriftReport:
    """What somebody changed of *source* since its `revision`, of how many tasks; None: not applied yet."""

    source: str
    revision: int | None
    drifted: list[Drifted]
    tasks: int

    def lines(self) -> list[str]:
        """Return it as lines of text; the last one sums it up."""
        found = [line for each in self.drifted for line in each.lines()]
        return [*found, *([""] if found else []), drift_total(self.drifted, self.tasks)]

    def document(self) -> dict[str, Any]:
        """Return it in the JSON shape of `taskcfg drift`."""
        return {
            "source": self.source,
            "revision": self.revision,
            "resource_drift": [each.document() for each in self.drifted],
            "has_drift": bool(self.drifted),
        }


def drift_of(connection: Connection, source: str, recorded: Sequence[PastTask] | None = None) -> DriftReport:
    """Return how *source* differs from what was last applied.

    *recorded* are all sources' tasks as their revisions left them; they are read where they are not given.
    Raises UnknownSource where nothing was applied for it, and for others there was.
    """
    known = [each.name for each in read_sources(connection)]
    if known and source not in known:
        raise UnknownSource(source, known)
    state = StoredState(connection, source)
    revision, live = current_revision(connection, source), state.live_tasks()
    if recorded is None:
        recorded = tasks_at(past.all_revisions(connection))
    applied = {task.name: task.document for task in recorded if task.source == source}
    by_hand = [row for row in live.values() if row.changed_by_hand or row.name not in applied]
    specs = state.specs_of([row.id for row in by_hand])
    changed = {row.name: specs[row.id].document() if row.id in specs else None for row in by_hand}
    return DriftReport(source, revision, drift(applied, list(live), changed), len(live))


def drifted_tasks(connection: Connection, sources: Iterable[str]) -> list[str]:
    """Return the tasks of all *sources* that somebody changed, added or took away by hand, by name."""
    recorded = tasks_at(past.all_revisions(connection))
    return sorted(each.name for source in sources for each in drift_of(connection, source, recorded).drifted)
