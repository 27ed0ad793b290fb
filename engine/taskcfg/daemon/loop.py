"""A step, repeated in a thread: the only shape in which taskcfg runs anything in the background."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from taskcfg.clock import Clock, SystemClock
from taskcfg.errors import DatabaseUnavailable
from taskcfg.failpoints import failpoint

logger = logging.getLogger("taskcfg.daemon")

FIRST_PAUSE = 0.5
LONGEST_PAUSE = 5.0


class Outage:
    """Says once that the database is away, whichever loop finds out, and once that it is back."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._away: set[str] = set()
        self._reason: str | None = None

    @property
    def reason(self) -> str | None:
        """What is wrong with the database; None while nothing is known to be."""
        with self._lock:
            return self._reason if self._away else None

    def began(self, loop: str, error: DatabaseUnavailable) -> None:
        with self._lock:
            if not self._away:
                logger.error("database.unavailable reason=%r", error.message)
            self._away.add(loop)
            self._reason = error.message

    def ended(self, loop: str) -> None:
        with self._lock:
            if loop in self._away:
                self._away.discard(loop)
                if not self._away:
                    logger.warning("database.recovered")


class Loop:
    """Repeats *step* until stopped. A step returns the seconds to wait before the next.

    A step that fails is repeated after a growing pause, whatever it failed of: a database that is
    away is told as an outage, anything else with its traceback, once until the step succeeds
    again. `wake` cuts a wait short, but not such a pause.
    """

    def __init__(
        self, name: str, step: Callable[[], float], outage: Outage, clock: Clock | None = None
    ) -> None:
        self.name = name
        self._step = step
        self._outage = outage
        self._clock = clock or SystemClock()
        self._busy_since: float | None = None
        self._woken = threading.Event()
        self._stopped = threading.Event()
        self._pause = FIRST_PAUSE
        self._told: str | None = None
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        self._thread.start()

    def wake(self) -> None:
        self._woken.set()

    @property
    def alive(self) -> bool:
        return self._thread.is_alive()

    def busy_for(self) -> float:
        """Return for how many seconds the present step is under way; 0 between two steps."""
        since = self._busy_since
        return 0.0 if since is None else self._clock.monotonic() - since

    @contextmanager
    def resting(self) -> Iterator[None]:
        """What a step does in here is waiting, however long: it is not at work meanwhile."""
        self._busy_since = None
        try:
            yield
        finally:
            self._busy_since = self._clock.monotonic()

    def end_soon(self) -> None:
        """Have the loop end after the step under way."""
        self._stopped.set()
        self._woken.set()

    def stop(self, timeout: float) -> None:
        """Have the loop end after the step under way, and wait for it at most *timeout* seconds."""
        self.end_soon()
        if self._thread.ident is not None:
            self._thread.join(timeout)

    def _run(self) -> None:
        while not self._stopped.is_set():
            failpoint("loop.before_step")
            self._woken.clear()
            try:
                self._busy_since = self._clock.monotonic()
                try:
                    wait = self._step()
                finally:
                    self._busy_since = None
            except DatabaseUnavailable as error:
                self._outage.began(self.name, error)
                self._rest()
            except Exception as error:  # noqa: BLE001 it is told, and the step repeated
                self._tell(error)
                self._rest()
            else:
                self._recovered()
                self._woken.wait(wait)

    def _rest(self) -> None:
        self._stopped.wait(self._pause)
        self._pause = min(self._pause * 2, LONGEST_PAUSE)

    def _tell(self, error: Exception) -> None:
        what = f"{type(error).__name__}: {error}"
        if what != self._told:
            logger.error("loop.failed loop=%s error=%r: it is tried again", self.name, what, exc_info=error)
        self._told = what

    def _recovered(self) -> None:
        self._outage.ended(self.name)
        if self._told is not None:
            logger.warning("loop.recovered loop=%s", self.name)
        self._pause, self._told = FIRST_PAUSE, None
