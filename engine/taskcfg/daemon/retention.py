"""One node at a time deletes the history that the setting `retention` does not keep, a little at a time."""

from __future__ import annotations

import logging
from uuid import UUID

from taskcfg.clock import Clock
from taskcfg.daemon.timekeeping import ClockWatch
from taskcfg.spec.retention import Retention
from taskcfg.store import leases
from taskcfg.store.database import Engine
from taskcfg.store.purging import Purged, Sweep

logger = logging.getLogger("taskcfg.retention")

LEASE = "retention"

AGAIN = 600.0
"""Seconds from the end of one walk over the history to the next."""

LOOK = 15.0
"""Seconds between two looks at what is to be done while nothing is."""

RENEW = 5.0
"""Seconds before its end at which the lease is renewed."""

QUICK, SLOW = 0.025, 0.1
"""Seconds that one transaction may take: below the first the next deletes more, above the second less."""

SMALLEST, LARGEST = 50, 2_000
"""Fires deleted in one transaction."""

STEADY = 10.0
"""Seconds for which the database's clock must not have jumped before anything is deleted by it."""

REST = 2.0
"""How many times as long as it has worked it rests: firing comes first, here and in the database."""


class Retaining:
    """Walks over the history again and again, under its lease; one small transaction a step."""

    def __init__(
        self, database: Engine, node_id: UUID, retention: Retention, clock: Clock, watch: ClockWatch
    ) -> None:
        self._database = database
        self._node_id = node_id
        self._retention = retention
        self._clock = clock
        self._watch = watch
        self._lease: leases.Held | None = None
        self._sweep: Sweep | None = None
        self._next = 0.0
        self._batch = SMALLEST
        self._total = Purged()

    def run_once(self) -> float:
        """Delete a little, if it is time and the lease is ours; return the seconds to wait."""
        now = self._clock.monotonic()
        if self._sweep is None and now < self._next:
            return min(self._next - now, LOOK)
        if self._watch.steady_for() < STEADY or not self._holds():
            self._sweep = None
            return LOOK
        if self._sweep is None:
            self._sweep, self._total = Sweep(self._database, self._retention), Purged()
        wait = self._step(self._sweep)
        if self._sweep.over:
            self._end()
        return wait

    def _step(self, sweep: Sweep) -> float:
        began = self._clock.monotonic()
        purged = sweep.step(self._batch)
        taken = self._clock.monotonic() - began
        self._total += purged
        if taken > SLOW:
            self._batch = max(self._batch // 2, SMALLEST)
        elif taken < QUICK and purged.events:
            self._batch = min(self._batch * 2, LARGEST)
        return taken * REST

    def _holds(self) -> bool:
        lease = self._lease
        if lease is None or lease.until - RENEW < self._clock.monotonic():
            lease = self._lease = leases.acquire(self._database, LEASE, self._node_id, self._clock)
        return lease is not None

    def _end(self) -> None:
        self._sweep = None
        self._next = self._clock.monotonic() + AGAIN
        if self._total.events:
            logger.info("history.purged events=%d executions=%d", self._total.events, self._total.executions)
