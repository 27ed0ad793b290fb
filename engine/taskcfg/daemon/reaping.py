"""One node at a time looks for what died, ran out of time, or was never started."""

from __future__ import annotations

import logging
from datetime import timedelta
from uuid import UUID

from taskcfg.clock import Clock
from taskcfg.store import leases, pauses, reaper
from taskcfg.store.database import Engine

logger = logging.getLogger("taskcfg.reaper")

LEASE = "reaper"
EVERY = 1.0

LAPSE = 3.0
"""Seconds without a look at the database after which nobody can say who renewed in time."""

GRACE = 5.0
"""Seconds after a lapse before anything is reaped: workers that could not renew their rows either
are not dead for that."""


def end_pauses(database: Engine) -> None:
    """End the pauses whose time has come. Whoever was away then is too late, and does it now."""
    while ended := pauses.end_pauses(database):
        for each in ended:
            logger.info(
                "pause.ended task=%s fires=%d skipped=%d missed=%d",
                each.task, each.fires, each.skipped, each.missed,
            )  # fmt: skip


class Reaping:
    """The reaper's step, under its lease: whoever holds it reaps, the others wait their turn."""

    def __init__(self, database: Engine, node_id: UUID, unclaimed_after: timedelta, clock: Clock) -> None:
        self._database = database
        self._node_id = node_id
        self._unclaimed_after = unclaimed_after
        self._clock = clock
        self._looked_at: float | None = None
        self._patient_until = 0.0

    def run_once(self) -> float:
        """Reap if the lease is ours; return the seconds until the next look."""
        holds = leases.acquire(self._database, LEASE, self._node_id)
        now, before = self._clock.monotonic(), self._looked_at
        self._looked_at = now
        if before is None or now - before > LAPSE:
            self._patient_until = now + GRACE
        if holds:
            end_pauses(self._database)
        if holds and now >= self._patient_until:
            reaped = reaper.reap(self._database, unclaimed_after=self._unclaimed_after)
            if reaped:
                logger.warning("reaper.found %s", reaped)
        return EVERY
