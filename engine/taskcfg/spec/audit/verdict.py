"""What an audit found."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from taskcfg.spec.instants import rfc3339

MOST_KEPT = 1_000
"""So many findings of a kind are kept; more are only counted."""


class Fault(StrEnum):
    """A gap is a nominal time that nothing stands for; a double happened twice; an extra is a fire at a
    time that the schedule does not give; late is what should have gone on by now; a contradiction is in
    what two rows say."""

    GAP = "gap"
    DOUBLE = "double"
    EXTRA = "extra"
    LATE = "late"
    CONTRADICTION = "contradiction"


@dataclass(frozen=True, slots=True)
class AuditFinding:
    """One fault. `at` and `until` are the first and last nominal time it is about, `count` how many;
    `ids` the fires, attempts or dispatches."""

    fault: Fault
    task: str
    reason: str
    at: datetime | None = None
    until: datetime | None = None
    count: int = 1
    ids: tuple[UUID, ...] = ()

    def __str__(self) -> str:
        when = "" if self.at is None else f" at {rfc3339(self.at)}"
        when += "" if self.until in (None, self.at) or self.until is None else f" to {rfc3339(self.until)}"
        return f"{self.fault} {self.task}{when}: {self.reason}{_listed(self.ids)}"

    def document(self) -> dict[str, Any]:
        return {
            "task": self.task,
            "reason": self.reason,
            "at": None if self.at is None else rfc3339(self.at),
            "until": None if self.until is None else rfc3339(self.until),
            "count": self.count,
            "ids": [str(id_) for id_ in self.ids],
        }


@dataclass(slots=True)
class Verdict:
    """The findings, by kind, and how much was looked at. Grows while an audit goes on."""

    tasks: int = 0
    fires: int = 0
    attempts: int = 0
    found: dict[Fault, list[AuditFinding]] = field(default_factory=lambda: {fault: [] for fault in Fault})
    counts: dict[Fault, int] = field(default_factory=lambda: dict.fromkeys(Fault, 0))

    def add(self, finding: AuditFinding) -> None:
        self.counts[finding.fault] += finding.count
        if len(self.found[finding.fault]) < MOST_KEPT:
            self.found[finding.fault].append(finding)

    @property
    def ok(self) -> bool:
        return not any(self.counts.values())

    @property
    def gaps(self) -> list[AuditFinding]:
        return self.found[Fault.GAP]

    @property
    def doubles(self) -> list[AuditFinding]:
        return self.found[Fault.DOUBLE]

    @property
    def findings(self) -> list[AuditFinding]:
        """Every finding that was kept, by kind."""
        return [finding for fault in Fault for finding in self.found[fault]]


def _listed(ids: tuple[UUID, ...]) -> str:
    return f" ({', '.join(map(str, ids))})" if ids else ""
