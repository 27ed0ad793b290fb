"""APScheduler's own scheduler, on our job store and executor."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from datetime import UTC

from apscheduler.schedulers.base import BaseScheduler

from taskcfg.clock import Clock
from taskcfg.scheduling.executor import NotingExecutor
from taskcfg.scheduling.job import EXECUTOR
from taskcfg.scheduling.jobstore import BATCH, LONGEST_WAIT, ClaimingJobStore
from taskcfg.scheduling.protocol import FiringStore
from taskcfg.spec.fires import Outgoing

_ALIAS = "default"


class PassScheduler(BaseScheduler):  # type: ignore[misc]  # APScheduler has no types
    """A scheduler that makes one pass when asked, in the caller's thread.

    APScheduler's schedulers differ only in who calls `_process_jobs` and when; the ones that
    come with it end their thread silently when it raises.
    """

    def wakeup(self) -> None:
        """Nothing waits here: whoever calls `make_pass` decides when."""

    def shutdown(self, wait: bool = True) -> None:
        super().shutdown(wait)

    def make_pass(self) -> float | None:
        """Make one pass; return the seconds until the next, None for nothing to wait for."""
        wait: float | None = self._process_jobs()
        return wait


class Firing:
    """Materialises fires: one pass of APScheduler at a time."""

    def __init__(
        self,
        store: FiringStore,
        clock: Clock,
        offer: Callable[[Sequence[Outgoing]], None],
        *,
        batch: int = BATCH,
    ) -> None:
        # It logs every start, stop and ended schedule at INFO.
        logging.getLogger("apscheduler").setLevel(logging.WARNING)
        executor = NotingExecutor()
        self._clock = clock
        self._jobstore = ClaimingJobStore(store, executor, clock, offer, batch=batch)
        self._scheduler = PassScheduler(
            timezone=UTC, jobstores={_ALIAS: self._jobstore}, executors={EXECUTOR: executor}
        )
        self._scheduler.start()

    def run_once(self) -> float:
        """Make one pass and return the seconds until the next is due, at most `LONGEST_WAIT`.

        Raises what the pass failed with, such as DatabaseUnavailable; what it had claimed is due
        again, and what it may have recorded is in the outbox.
        """
        wait = self._scheduler.make_pass()
        self._jobstore.raise_failure()
        return LONGEST_WAIT if wait is None else min(wait, LONGEST_WAIT)

    def seconds_since_pass(self) -> float:
        """Return how long ago the last pass ended: what a watchdog watches."""
        return self._clock.monotonic() - self._jobstore.passed_at

    def close(self) -> None:
        self._scheduler.shutdown()
