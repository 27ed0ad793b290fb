"""What somebody changed in the database since it was last applied. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from taskcfg.errors import count
from taskcfg.reconcile.describe import value_text
from taskcfg.reconcile.plan import FieldChange, document_changes

Document = Mapping[str, Any]


class DriftKind(StrEnum):
    """What was done to a row by hand."""

    UPDATE = "update"
    CREATE = "create"
    DELETE = "delete"


_TITLES = {
    DriftKind.UPDATE: "  ~ {name} was changed by hand",
    DriftKind.CREATE: "  + {name} was added by hand",
    DriftKind.DELETE: "  - {name} is gone: it was retired or deleted by hand",
}


@dataclass(frozen=True, slots=True)
class Drifted:
    """A task that is not as it was applied: its document `before`, as applied, and `after`, as it is.

    `after` is None for one that is gone, and for a row that cannot be read.
    """

    name: str
    kind: DriftKind
    before: Document | None
    after: Document | None

    @property
    def fields(self) -> tuple[FieldChange, ...]:
        """The fields in which the two differ."""
        if self.before is None or self.after is None:
            return ()
        return document_changes(self.before, self.after)

    def lines(self) -> list[str]:
        """Return it as lines: what was done, and each field before and after."""
        lines = [_TITLES[self.kind].format(name=self.name)]
        if self.kind is DriftKind.UPDATE and self.after is None:
            lines.append("      its row cannot be read")
        width = max((len(field.path) for field in self.fields), default=0)
        for field in self.fields:
            values = f"{value_text(field.path, field.before)} -> {value_text(field.path, field.after)}"
            lines.append(f"      {field.path.ljust(width)}  {values}")
        return lines

    def document(self) -> dict[str, Any]:
        """Return it as an element of `resource_drift`, in Terraform's sense."""
        return {
            "address": self.name,
            "change": {
                "actions": [self.kind.value],
                "before": None if self.before is None else dict(self.before),
                "after": None if self.after is None else dict(self.after),
            },
            "fields": [{"field": f.path, "before": f.before, "after": f.after} for f in self.fields],
        }


def drift(
    applied: Mapping[str, Document], live: Sequence[str], changed: Mapping[str, Document | None]
) -> list[Drifted]:
    """Return what differs from *applied*, by name.

    *live* are the names that live rows bear, *changed* the documents, None where unreadable, of the rows
    whose version says that somebody changed them. One that was changed back is no drift.
    """
    return sorted(_drift(applied, set(live), changed), key=lambda each: each.name)


def _drift(
    applied: Mapping[str, Document], live: set[str], changed: Mapping[str, Document | None]
) -> Iterator[Drifted]:
    for name in applied.keys() - live:
        yield Drifted(name, DriftKind.DELETE, applied[name], None)
    for name in live - applied.keys():
        yield Drifted(name, DriftKind.CREATE, None, changed.get(name))
    for name in live & applied.keys() & changed.keys():
        found = Drifted(name, DriftKind.UPDATE, applied[name], changed[name])
        if found.after is None or found.fields:
            yield found


def drift_total(drifted: Sequence[Drifted], tasks: int) -> str:
    """Return the last line of `taskcfg drift`; *tasks* are live."""
    if not drifted:
        verb = "is as it was" if tasks == 1 else "are as they were"
        return f"No drift. {count(tasks, 'task')} {verb} applied."
    kinds = [each.kind for each in drifted]
    update, create, delete = (kinds.count(kind) for kind in DriftKind)
    return f"Drift: {update} changed, {create} added, {delete} gone. {tasks - update - create} as applied."
