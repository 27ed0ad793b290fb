"""The job store: one firing pass over the database for each pass of APScheduler.

APScheduler calls, in this order: `get_due_jobs`, then for each job the executor's `submit_job`
and `update_job` (or `remove_job`, when nothing comes next), and at the end `get_next_run_time`,
once. The transaction is opened by the first and committed by the last. A test holds
APScheduler to that order.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import NoReturn

from apscheduler.jobstores.base import BaseJobStore, JobLookupError

from taskcfg.clock import Clock
from taskcfg.failpoints import failpoint
from taskcfg.scheduling.executor import NotingExecutor
from taskcfg.scheduling.job import DueJob
from taskcfg.scheduling.protocol import FiringPass, FiringStore
from taskcfg.spec.advance import advance_all
from taskcfg.spec.fires import Advance, Outgoing

logger = logging.getLogger("taskcfg.scheduling")

BATCH = 500
LONGEST_WAIT = 1.0
"""Seconds. Local time is only ever a wait, and never a longer one: the database decides what is due."""

GATHERING = 0.02
"""Seconds from a pass that recorded fires to the next: what falls due meanwhile shares one. It costs as
much to fire one task as to fire twenty."""


class ClaimingJobStore(BaseJobStore):  # type: ignore[misc]  # APScheduler has no types
    """Claims due rows for a pass and records, all at once, what the pass decided.

    `offer` is given the fires of a committed pass, to be published. What goes wrong is kept for
    `raise_failure`: APScheduler only logs what `get_due_jobs` raises, and is left in mid-pass by
    what the others raise.
    """

    def __init__(
        self,
        store: FiringStore,
        executor: NotingExecutor,
        clock: Clock,
        offer: Callable[[Sequence[Outgoing]], None],
        *,
        batch: int = BATCH,
    ) -> None:
        super().__init__()
        self._store = store
        self._executor = executor
        self._clock = clock
        self._offer = offer
        self._batch = batch
        self._open: FiringPass | None = None
        self._quiet: list[Advance] = []
        self._more = False
        self._failure: Exception | None = None
        self.passed_at = clock.monotonic()

    def get_due_jobs(self, now: datetime) -> list[DueJob]:
        self._forget()
        try:
            self._open = self._store.begin_pass(self._batch)
        except Exception as error:  # noqa: BLE001 raised again by `raise_failure`
            self._failure = error
            return []
        database_now = self._open.now
        advances = advance_all(self._open.due, database_now)
        self._more = len(advances) >= self._batch or any(_is_left(each, database_now) for each in advances)
        jobs = []
        for each in advances:
            if each.decision and each.decision.fires:
                jobs.append(DueJob(each, [fire.nominal_at for fire in each.decision.fires]))
            else:
                self._quiet.append(each)
        return jobs

    def update_job(self, job: DueJob) -> None:
        """Nothing yet: the job's row is advanced when the pass commits, by its decision."""

    def remove_job(self, job_id: str) -> None:
        """The schedule has ended: its row is advanced, like any other, and stays."""

    def get_next_run_time(self) -> datetime | None:
        """Commit the pass, hand its fires on, and say when to come again."""
        wait = LONGEST_WAIT
        try:
            if self._open is not None:
                wait = self._commit(self._open)
        except Exception as error:  # noqa: BLE001 raised again by `raise_failure`
            self._failure = error
            if self._open is not None:
                self._open.abandon()
        self._open = None
        self.passed_at = self._clock.monotonic()
        return self._clock.now() + timedelta(seconds=wait)

    def raise_failure(self) -> None:
        """Raise what the last pass failed with, if it did: APScheduler would have swallowed it, or
        died of it."""
        if self._failure is not None:
            raise self._failure

    def _commit(self, firing_pass: FiringPass) -> float:
        submitted = [job.advance for job in self._executor.take()]
        failpoint("scheduling.after_decide")
        fires = firing_pass.commit([*submitted, *self._quiet])
        if fires:
            self._offer(fires)
            failpoint("scheduling.after_offer")
            logger.debug("pass.committed fires=%d tasks=%d", len(fires), len(submitted))
        if self._more:
            return 0.0
        until_due = self._store.seconds_until_due()
        soonest = GATHERING if fires else 0.0
        return LONGEST_WAIT if until_due is None else min(max(until_due, soonest), LONGEST_WAIT)

    def _forget(self) -> None:
        """Drop what a pass left behind; what it had claimed is due again."""
        if self._open is not None:
            self._open.abandon()
        self._executor.take()
        self._open, self._failure, self._quiet, self._more = None, None, [], False

    def lookup_job(self, job_id: str) -> None:
        return None

    def get_all_jobs(self) -> list[DueJob]:
        return []

    def add_job(self, job: DueJob) -> NoReturn:
        raise NotImplementedError("tasks come from `taskcfg apply`, not from APScheduler")

    def remove_all_jobs(self) -> NoReturn:
        raise JobLookupError("*")


def _is_left(each: Advance, now: datetime) -> bool:
    """Say whether the row is due still when *each* is written, as where there is much to make up for."""
    next_fire_at = each.decision.next_fire_at if each.decision else (each.resume_at or (None, None))[1]
    return next_fire_at is not None and next_fire_at <= now
