"""How `taskcfg worker` ends: in peace at the first signal, at once at the second."""

from __future__ import annotations

import logging
import os
import signal
import threading
from collections.abc import Callable
from queue import SimpleQueue
from types import FrameType
from typing import Any

from celery.worker import state

from taskcfg.celery.install import Installation
from taskcfg.systemd import Notifier

logger = logging.getLogger("taskcfg.worker")

STOPPED = 0
"""The exit code of a worker that ended because it was told to, however soon."""


class Stopping:
    """Receives SIGTERM and SIGINT for a worker's parent process.

    The first has Celery stop warmly: it takes no more, finishes what runs, and gives back what it
    had fetched. The second kills what runs, has it recorded as lost, and ends the process. Celery's
    own would end with code 1 at ^C, take no notice of a second SIGTERM, and print lines of its own.
    """

    def __init__(self, notifier: Notifier) -> None:
        self._notifier = notifier
        self._installation: Installation | None = None
        self._worker: Any = None
        self._signals = 0
        self._fetched: list[Any] = []
        # A handler must not wait for a lock: what it may interrupt could be holding it.
        self._told: SimpleQueue[Callable[[], None]] = SimpleQueue()

    def before_start(self) -> None:
        """From here until the worker starts nothing has begun: a signal ends the process."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, _leave)

    def run(self, worker: Any, installation: Installation) -> int:
        """Run *worker* to its end, which the signals bring; return its exit code."""
        self._look_after(worker, installation)
        try:
            worker.start()
        finally:
            installation.end()
        logger.info("worker.stopped")
        return int(worker.exitcode or STOPPED)

    def _look_after(self, worker: Any, installation: Installation) -> None:
        """Take the place of Celery's own handlers when *worker* starts."""
        self._worker, self._installation = worker, installation
        installs_its_own = worker.install_platform_tweaks

        def install(started: Any) -> None:
            installs_its_own(started)
            for number in (signal.SIGTERM, signal.SIGINT):
                signal.signal(number, self._receive)

        worker.install_platform_tweaks = install
        threading.Thread(target=self._obey, name="taskcfg-stopping", daemon=True).start()

    def _receive(self, signum: int, frame: FrameType | None) -> None:
        self._signals += 1
        if self._signals == 1:
            # Celery forgets what it has fetched as soon as it begins to stop.
            self._fetched = list(state.reserved_requests)
            state.should_stop = STOPPED
            self._told.put(self._tell)
        elif self._signals == 2:
            self._told.put(self._cut_off)
        else:
            os._exit(STOPPED)

    def _obey(self) -> None:
        while True:
            self._told.get()()

    def _tell(self) -> None:
        self._notifier.stopping()
        running = len(state.active_requests)
        if running:
            logger.info(
                "worker.stopping running=%d: it ends when they have; a second signal kills them", running
            )
        else:
            logger.info("worker.stopping running=0")

    def _cut_off(self) -> None:
        try:
            if self._installation is not None:
                self._installation.cut_off(self._worker, self._fetched)
            logger.warning("worker.cut_off")
        except Exception:
            logger.exception("worker.unrecorded: a scheduler finds what it cut off when its lease ends")
        finally:
            os._exit(STOPPED)


def _leave(signum: int, frame: FrameType | None) -> None:
    raise SystemExit(STOPPED)
