"""What the database says of a source's tasks, as far as a plan needs it."""

from __future__ import annotations

from dataclasses import dataclass

from taskcfg.spec.task import TaskSpec


@dataclass(frozen=True, slots=True)
class LiveTask:
    """One row that is not retired.

    `digest` is that of the row as it stands, also after a change by hand. `spec` is loaded
    only where it differs from what is desired; None where it was not, or cannot be read.
    """

    id: int
    name: str
    digest: str
    version: int
    applied_version: int
    protect: bool = False
    spec: TaskSpec | None = None

    @property
    def changed_by_hand(self) -> bool:
        return self.version != self.applied_version
