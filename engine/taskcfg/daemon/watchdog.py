"""The main thread's look at the loops: whether they live, and who has to be told."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import replace

from taskcfg.clock import Clock
from taskcfg.daemon.health import Vitals, status_line, why_dead
from taskcfg.systemd import Notifier

logger = logging.getLogger("taskcfg.scheduler")

FROZEN_AFTER = 20.0
"""Seconds without a pass after which the database is taken to be frozen: longer than it lets any
statement of a pass take."""

STANDSTILL = 5.0
"""Seconds without a look after which the whole process is taken to have stood still, or its machine:
then every loop gets the time since to show that it lives."""

MORE_TIME = 30.0
"""Seconds that systemd is asked for, again and again, while the start waits for the database."""


class Watchdog:
    """Looks at *vitals* whenever asked; tells systemd, and has a frozen database's connections broken off."""

    def __init__(
        self, vitals: Callable[[], Vitals], notifier: Notifier, clock: Clock, break_off: Callable[[], None]
    ) -> None:
        self._vitals = vitals
        self._notifier = notifier
        self._clock = clock
        self._break_off = break_off
        self._ready = False
        self._told_at: float | None = None
        self._broken_off_at: float | None = None
        self._looked_at = self._awake_since = clock.monotonic()

    def vitals(self) -> Vitals:
        """Return what there is to see, counted from when the process last stood still. From any thread."""
        seen, now = self._vitals(), self._clock.monotonic()
        awake = 0.0 if now - self._looked_at > STANDSTILL else now - self._awake_since
        busy = {name: min(seconds, awake) for name, seconds in seen.busy.items()}
        return replace(seen, last_pass=min(seen.last_pass, awake), busy=busy)

    def look(self) -> tuple[str, ...]:
        """Look once; return why the process cannot go on, if it cannot."""
        now = self._clock.monotonic()
        if now - self._looked_at > STANDSTILL:
            self._awake_since = now
        self._looked_at = now
        vitals = self.vitals()
        dead = why_dead(vitals)
        self._notifier.status(status_line(vitals))
        if dead:
            return dead
        if not self._ready and vitals.joined and vitals.last_good_pass is not None:
            self._ready = True
            self._notifier.ready()
        self._keep_patient()
        if vitals.joined and vitals.last_pass > FROZEN_AFTER:
            self._unfreeze(vitals.last_pass)
        return ()

    def _keep_patient(self) -> None:
        interval = self._notifier.watchdog if self._ready else MORE_TIME / 3
        now = self._clock.monotonic()
        if interval is None or (self._told_at is not None and now - self._told_at < interval):
            return
        self._told_at = now
        if self._ready:
            self._notifier.alive()
        else:
            self._notifier.still_starting(MORE_TIME)

    def _unfreeze(self, silent: float) -> None:
        now = self._clock.monotonic()
        if self._broken_off_at is None or now - self._broken_off_at > FROZEN_AFTER:
            self._broken_off_at = now
            logger.warning("database.silent last_pass=%.0fs: its connections are broken off", silent)
            self._break_off()
