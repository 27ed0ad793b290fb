"""`taskcfg doctor --audit`: the books of a live database, checked."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from taskcfg.control.findings import Finding, fail, ok, warn
from taskcfg.errors import count
from taskcfg.settings import Settings
from taskcfg.source.zone_data import zone_database
from taskcfg.spec.audit.verdict import AuditFinding, Fault, Verdict
from taskcfg.spec.instants import rfc3339
from taskcfg.store import rezoning, schema
from taskcfg.store.audit import Audit, audit_books
from taskcfg.store.database import open_database, reading
from taskcfg.store.late import Patience
from taskcfg.store.settings_table import read_setting

SINCE = timedelta(hours=24)

_FIELDS = {
    Fault.GAP: "gaps",
    Fault.DOUBLE: "doubles",
    Fault.EXTRA: "extras",
    Fault.LATE: "late",
    Fault.CONTRADICTION: "contradictions",
}


@dataclass(frozen=True, slots=True)
class Audited:
    """What an audit looked at and found, between two instants of the database's clock."""

    since: datetime
    until: datetime
    verdict: Verdict
    unknown: tuple[str, ...]

    @property
    def ok(self) -> bool:
        return self.verdict.ok

    def findings(self) -> Iterator[AuditFinding]:
        yield from self.verdict.findings

    def checks(self) -> list[Finding]:
        """Return the outcome as doctor's checks."""
        verdict = self.verdict
        seen = (
            f"{count(verdict.tasks, 'task')} and {count(verdict.fires, 'fire')} since {rfc3339(self.since)}"
        )
        wrong = ", ".join(
            f"{number:,} {_FIELDS[fault]}" for fault, number in verdict.counts.items() if number
        )
        found = ok("audit", seen) if self.ok else fail("audit", f"{seen}: {wrong}", None)
        if not self.unknown:
            return [found]
        reason = f"nothing is known of the schedules of {count(len(self.unknown), 'task')}: "
        hint = "`taskcfg status` says which rows cannot be read; `tzdata` must be that of the schedulers"
        return [found, warn("audit", reason + ", ".join(f"`{name}`" for name in self.unknown[:10]), hint)]

    def document(self) -> dict[str, Any]:
        """Return the JSON shape; of each kind a thousand findings at most, and how many there are in all."""
        verdict = self.verdict
        return {
            "since": rfc3339(self.since),
            "until": rfc3339(self.until),
            "tasks": verdict.tasks,
            "fires": verdict.fires,
            "attempts": verdict.attempts,
            "counts": {_FIELDS[fault]: number for fault, number in verdict.counts.items()},
            **{_FIELDS[fault]: [each.document() for each in verdict.found[fault]] for fault in Fault},
            "unknown": list(self.unknown),
        }


def audit(settings: Settings, since: datetime | None = None) -> Audited:
    """Audit what was recorded since *since*; without one, in the last 24 hours.

    Raises DatabaseUnavailable, SchemaMismatch, WrongEnvironment.
    """
    database = open_database(settings.database_url, role="doctor")
    try:
        schema.check_for(database, settings.env)
        with reading(database) as connection:
            known = read_setting(connection, rezoning.SETTING)
        here = zone_database()
        readable = known is None or here == known
        patience = Patience(unclaimed=2 * settings.unclaimed_after)
        found: Audit = audit_books(database, since or SINCE, patience, zones_readable=readable)
    finally:
        database.dispose()
    return Audited(found.since, found.until, found.verdict, tuple(found.unknown))
