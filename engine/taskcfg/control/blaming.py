"""Who set each field of a task."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from taskcfg.control.names import choose
from taskcfg.reconcile.past import Blamed, blame
from taskcfg.spec.instants import rfc3339
from taskcfg.spec.selection import ALL, Selection
from taskcfg.spec.task import TaskState
from taskcfg.store.database import Connection
from taskcfg.store.task_list import task_rows
from taskcfg.store.told_changes import ToldChange, told_changes

_EVER = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class BlameReport:
    """A task's fields, and the changes that set them. Where its row is `unreadable` they are those that were
    applied last."""

    task: str
    source: str
    fields: list[Blamed]
    changes: list[ToldChange]
    unreadable: bool = False

    def change_of(self, field: Blamed) -> ToldChange | None:
        """Return the change that set *field*; None: somebody did by hand, or before all that is recorded."""
        return None if field.change is None else self.changes[field.change]

    def document(self) -> dict[str, Any]:
        """Return it in the JSON shape of `taskcfg blame`."""
        return {
            "task": self.task,
            "source": self.source,
            "unreadable": self.unreadable,
            "fields": [self._document(field) for field in self.fields],
        }

    def _document(self, field: Blamed) -> dict[str, Any]:
        change = self.change_of(field)
        return {
            "field": field.field,
            "value": field.value,
            "revision": change and change.revision,
            "applied_at": change and rfc3339(change.at),
            "actor": change and change.actor,
            "commit": change and change.commit,
            "author": change and change.author,
        }


def blame_of(connection: Connection, name: str) -> BlameReport:
    """Return who set each field of the task *name*, which may be retired. Raises UnknownTask."""
    chosen = choose(connection, replace(Selection((name,)), states=(ALL,)))
    # A live row first, else the newest of those that were retired.
    best = max(chosen, key=lambda each: (each.state is not TaskState.RETIRED, each.id))
    (row,) = task_rows(connection, ids=[best.id], states=tuple(TaskState))
    changes = told_changes(connection, {row.id: (row.source, row.name)}, _EVER)[row.id]
    retired = row.state is TaskState.RETIRED
    live = None if row.spec is None or retired else row.spec.document()
    fields = blame([each.document for each in changes], live)
    return BlameReport(row.name, row.source, fields, changes, unreadable=row.spec is None and not retired)
