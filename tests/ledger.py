"""Fires and attempts recorded in memory: the store's promises to relay and gate, for one process."""

import uuid
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from uuid import UUID

from taskcfg.errors import DatabaseUnavailable
from taskcfg.spec.fires import (
    Confirmed,
    Dispatched,
    EventKind,
    ExecutionState,
    Outcome,
    Outgoing,
    Receipt,
    Refused,
    Started,
    Unsendable,
)

NOON = datetime(2026, 3, 29, 12, tzinfo=UTC)


@dataclass
class MemoryOutbox:
    """Pending fires, some of them already in the relay's own hands. `away` is a database that is down."""

    pending: dict[UUID, Outgoing] = field(default_factory=dict)
    published: list[UUID] = field(default_factory=list)
    dead: dict[UUID, str] = field(default_factory=dict)
    reasons: dict[UUID, str] = field(default_factory=dict)
    claims: int = 0
    away: bool = False

    def hold(self, fires: Sequence[Outgoing]) -> list[Outgoing]:
        """Record *fires*, as a pass does before it offers them."""
        self.pending |= {fire.event_id: fire for fire in fires}
        return list(fires)

    def claim(self, limit: int, *, held: Collection[UUID]) -> list[Outgoing]:
        self._check()
        self.claims += 1
        free = [fire for id_, fire in self.pending.items() if id_ not in held][:limit]
        claimed = [replace(fire, epoch=fire.epoch + 1) for fire in free]
        self.pending |= {fire.event_id: fire for fire in claimed}
        return claimed

    def record(self, receipts: Sequence[tuple[Outgoing, Receipt]]) -> None:
        self._check()
        for fire, receipt in receipts:
            current = self.pending.get(fire.event_id)
            if current is None or current.epoch != fire.epoch:
                continue
            match receipt:
                case Confirmed():
                    self.published.append(fire.event_id)
                    del self.pending[fire.event_id]
                case Unsendable(reason):
                    self.dead[fire.event_id] = reason
                    del self.pending[fire.event_id]
                case _:
                    self.reasons[fire.event_id] = receipt.reason

    def _check(self) -> None:
        if self.away:
            raise DatabaseUnavailable("the database is away")


@dataclass
class MemoryRecords:
    """Attempts, started and ended. `refusal` is what every start is answered with, if anything is;
    `recorded_as` the state that every end is written down as, whatever its outcome says."""

    states: dict[UUID, ExecutionState] = field(default_factory=dict)
    outcomes: list[Outcome] = field(default_factory=list)
    dispatched: list[Dispatched] = field(default_factory=list)
    refusal: str | None = None
    recorded_as: ExecutionState | None = None
    _running: dict[tuple[UUID, int, int], UUID] = field(default_factory=dict)

    def start(self, dispatched: Dispatched) -> Started | Refused:
        key = (dispatched.event_id, dispatched.dispatch_no, dispatched.celery_retry)
        if self.refusal is not None or key in self._running:
            return Refused(self.refusal or "this dispatch was started already")
        self._running[key] = execution_id = uuid.uuid4()
        self.states[execution_id] = ExecutionState.RUNNING
        self.dispatched.append(dispatched)
        return Started(
            execution_id=execution_id,
            event_id=dispatched.event_id,
            task="nightly",
            type="demo",
            kind=EventKind.SCHEDULED,
            nominal_at=NOON,
            fire_at=NOON,
            attempt=len(self.dispatched),
            labels={"team": "platform"},
        )

    def finish(self, execution_id: UUID, outcome: Outcome) -> ExecutionState | None:
        if self.states[execution_id] is not ExecutionState.RUNNING:
            return None
        self.states[execution_id] = self.recorded_as or outcome.state
        self.outcomes.append(outcome)
        return self.states[execution_id]

    def finish_dispatch(self, dispatched: Dispatched, outcome: Outcome) -> ExecutionState | None:
        key = (dispatched.event_id, dispatched.dispatch_no, dispatched.celery_retry)
        return self.finish(self._running[key], outcome) if key in self._running else None
