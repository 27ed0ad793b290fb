"""One node at a time looks for what died, ran out of time, or was never started."""

from __future__ import annotations

import logging
from datetime import datetime, timedelta
from uuid import UUID

from taskcfg.clock import Clock
from taskcfg.daemon.timekeeping import ClockWatch
from taskcfg.spec.clock_guard import Reading
from taskcfg.store import leases, pauses, reaper
from taskcfg.store.database import Engine, database_time, reading
from taskcfg.store.trust import UNWATCHED, Confidence, Timekeeper, Untimely

logger = logging.getLogger("taskcfg.reaper")

LEASE = "reaper"
EVERY = 1.0

LAPSE = 3.0
"""Seconds without a look at the database, or by which its clock was set, after which nobody can say
who renewed in time."""


def end_pauses(database: Engine, timekeeper: Timekeeper = UNWATCHED) -> None:
    """End the pauses whose time has come. Whoever was away then is too late, and does it now."""
    while ended := pauses.end_pauses(database, timekeeper):
        for each in ended:
            logger.info(
                "pause.ended task=%s fires=%d skipped=%d missed=%d",
                each.task, each.fires, each.skipped, each.missed,
            )  # fmt: skip


class Reaping:
    """The reaper's step, under its lease: whoever holds it reaps, the others wait their turn.

    After a start, a time in which the database was not looked at, and any change of its clock,
    everybody gets a whole lease to renew his row before his silence is taken for his death.
    """

    def __init__(
        self,
        database: Engine,
        node_id: UUID,
        unclaimed_after: timedelta,
        clock: Clock,
        watch: ClockWatch | None = None,
    ) -> None:
        self._database = database
        self._node_id = node_id
        self._unclaimed_after = unclaimed_after
        self._clock = clock
        self._watch = watch or ClockWatch(clock)
        self._looked: Reading | None = None
        self._undisturbed_since = 0.0

    def run_once(self) -> float:
        """Reap if the lease is ours; return the seconds until the next look."""
        lease = leases.acquire(self._database, LEASE, self._node_id, self._clock)
        look = self._look()
        if self._watch.observe(look) and lease is not None:
            try:
                self._reap(look, _Batch(lease, look, self._clock, self._watch))
            except Untimely:
                logger.warning("reaper.stopped: its lease ran out under it, or the database's clock was set")
        return EVERY

    def _reap(self, look: Reading, batch: _Batch) -> None:
        confidence = Confidence(look.latest - self._undisturbed_since, self._watch.steady_for(), batch)
        end_pauses(self._database, batch)
        reaped = reaper.reap(self._database, unclaimed_after=self._unclaimed_after, confidence=confidence)
        if reaped:
            logger.warning("reaper.found %s", reaped)
        after = self._read()
        if abs(look.moved(after)) <= LAPSE:
            self._looked = after  # however long it took, the database answered all the time

    def _look(self) -> Reading:
        look = self._read()
        if self._looked is None or _disturbed(self._looked, look):
            self._undisturbed_since = look.latest
        self._looked = look
        return look

    def _read(self) -> Reading:
        began = self._clock.monotonic()
        with reading(self._database) as connection:
            return Reading(database_time(connection), began, self._clock.monotonic())


class _Batch:
    """Lets one round of reaping go on while its lease is trusted and the database's clock runs evenly."""

    def __init__(self, lease: leases.Held, look: Reading, clock: Clock, watch: ClockWatch) -> None:
        self._lease = lease
        self._look = look
        self._clock = clock
        self._watch = watch

    def moment(self) -> float:
        return self._clock.monotonic()

    def trusts(self, now: datetime, since: float) -> bool:
        here = Reading(now, since, self._clock.monotonic())
        even = abs(self._look.moved(here)) <= LAPSE
        return self._watch.observe(here) and even and self._lease.trusted(self._clock)


def _disturbed(before: Reading, after: Reading) -> bool:
    return after.latest - before.latest > LAPSE or abs(before.moved(after)) > LAPSE
