"""A thread beside a consumer: it keeps the lease, and notices new messages.

The consumer's own thread can then sleep until it is rung for, and be busy for as long as it
likes without losing its messages.
"""

from __future__ import annotations

import logging
import os
import threading
import weakref
from collections.abc import Callable

from taskcfg.transport.broker_file import BrokerFile, BrokerFileError
from taskcfg.transport.consumer import Consumer

BEAT = 1.0  # seconds between two renewals of the lease

logger = logging.getLogger("taskcfg.transport")


class Watch:
    """Looks at the file every *interval* seconds, and calls *ring* when anything was written.

    It ends when it is stopped, when the owner of *ring* is gone, or when the file fails for
    good; `failure` then says why. It does not live on in a forked child.
    """

    def __init__(
        self, file: BrokerFile, consumer: Consumer, *, interval: float, ring: Callable[[], None]
    ) -> None:
        self.failure: BrokerFileError | None = None
        self._file = file
        self._consumer = consumer
        self._interval = interval
        self._ring = weakref.WeakMethod(ring)
        self._seen: object = None
        self._next_beat = 0.0
        self._trouble: str | None = None
        self._pid = os.getpid()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="taskcfg-broker-watch", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End the thread and wait for it."""
        if self._pid == os.getpid():
            self._stop.set()
            self._thread.join()

    def run_once(self) -> None:
        """Look once: ring if something was written, renew the lease if it is time. Raises BrokerFileError."""
        token = self._file.change_token()
        if token != self._seen:
            self._seen = token
            self._call()
        now = self._file.clock.monotonic()
        if now >= self._next_beat:
            self._next_beat = now + BEAT
            self._consumer.beat()
            if self._trouble is not None:
                self._trouble = None
                logger.warning("broker.recovered")

    def _run(self) -> None:
        while self._ring() is not None and not self._stop.wait(self._interval):
            try:
                self.run_once()
            except BrokerFileError as error:
                if not error.transient:
                    self.failure = error
                    self._call()
                    return
                if self._trouble != error.reason:
                    logger.warning("broker.trouble reason=%r", error.message)
                self._trouble = error.reason

    def _call(self) -> None:
        ring = self._ring()
        if ring is not None:
            ring()
