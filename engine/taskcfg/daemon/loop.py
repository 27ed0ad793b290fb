"""A step, repeated in a thread: the only shape in which taskcfg runs anything in the background."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

from taskcfg.errors import DatabaseUnavailable

logger = logging.getLogger("taskcfg.daemon")

FIRST_PAUSE = 0.5
LONGEST_PAUSE = 5.0


class Outage:
    """Says once that the database is away, whichever loop finds out, and once that it is back."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._away: set[str] = set()

    def began(self, loop: str, error: DatabaseUnavailable) -> None:
        with self._lock:
            if not self._away:
                logger.error("database.unavailable reason=%r", error.message)
            self._away.add(loop)

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

    def __init__(self, name: str, step: Callable[[], float], outage: Outage) -> None:
        self.name = name
        self._step = step
        self._outage = outage
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

    def stop(self, timeout: float) -> None:
        """Have the loop end after the step under way, and wait for it at most *timeout* seconds."""
        self._stopped.set()
        self._woken.set()
        if self._thread.ident is not None:
            self._thread.join(timeout)

    def _run(self) -> None:
        while not self._stopped.is_set():
            self._woken.clear()
            try:
                wait = self._step()
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
