"""What this process knows of the database's clock: every loop that decides by it reads it here."""

from __future__ import annotations

import logging
import threading
from datetime import datetime

from taskcfg.clock import Clock
from taskcfg.spec.clock_guard import APART, Doubtful, Guard, Reading, Steady, judge

logger = logging.getLogger("taskcfg.scheduler")


class ClockWatch:
    """Judges each reading of the database's clock, from any thread; says when it jumps and when it agrees."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._guard: Guard | None = None
        self._steady_since = clock.monotonic()

    def moment(self) -> float:
        return self._clock.monotonic()

    def trusts(self, now: datetime, since: float) -> bool:
        """Take the reading *now*, made after the moment *since*; say whether the clock is trusted."""
        return self.observe(Reading(now, since, self._clock.monotonic()))

    def observe(self, reading: Reading) -> bool:
        with self._lock:
            before, self._guard = self._guard, judge(self._guard, reading)
            self._tell(before, self._guard, reading)
            return isinstance(self._guard, Steady)

    @property
    def doubts(self) -> bool:
        """Whether the clock jumped, and is not trusted yet."""
        with self._lock:
            return isinstance(self._guard, Doubtful)

    def steady_for(self) -> float:
        """Return for how many seconds the clock is known not to have jumped; 0 while it is doubted."""
        with self._lock:
            doubted = isinstance(self._guard, Doubtful)
            return 0.0 if doubted else self._clock.monotonic() - self._steady_since

    def _tell(self, before: Guard | None, after: Guard, reading: Reading) -> None:
        match before, after:
            case (Steady(), Doubtful()):
                logger.error(
                    "clock.jumped by=%+.1fs database_time=%s: nothing fires until two readings %.0f s apart"
                    " agree",
                    after.moved, f"{reading.at:%Y-%m-%dT%H:%M:%SZ}", APART,
                )  # fmt: skip
            case (Doubtful(), Steady()):
                self._steady_since = reading.latest
                logger.warning(
                    "clock.agrees moved=%+.1fs database_time=%s",
                    before.trusted.moved(reading), f"{reading.at:%Y-%m-%dT%H:%M:%SZ}",
                )  # fmt: skip
