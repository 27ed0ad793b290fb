"""One task's books, fire after fire."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from taskcfg.spec.audit.attempts import FireCheck
from taskcfg.spec.audit.books import AuditedAttempt, AuditedFire, AuditedTask
from taskcfg.spec.audit.coverage import Coverage
from taskcfg.spec.audit.verdict import Verdict
from taskcfg.spec.fires import EventKind


class TaskAudit:
    """Adds to *verdict* what is wrong with one task as of *now*. Holds one fire at a time."""

    def __init__(self, verdict: Verdict, database: UUID, task: AuditedTask, now: datetime) -> None:
        self._verdict = verdict
        self._check = FireCheck(database, task)
        self._coverage = Coverage(task, now)
        verdict.tasks += 1

    def take(self, fire: AuditedFire, attempts: Sequence[AuditedAttempt]) -> None:
        """Look at *fire* and all attempts at it. Fires come in the order of their nominal times."""
        self._verdict.fires += 1
        self._verdict.attempts += len(attempts)
        for finding in self._check.findings(fire, attempts):
            self._verdict.add(finding)
        if fire.kind == EventKind.SCHEDULED:
            for finding in self._coverage.take(fire):
                self._verdict.add(finding)

    def finish(self) -> None:
        """Look at what should have come after the last fire."""
        for finding in self._coverage.finish():
            self._verdict.add(finding)
