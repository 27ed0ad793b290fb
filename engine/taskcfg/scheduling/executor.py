"""The executor: it notes what a pass submits; what is noted is recorded when the pass commits."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from apscheduler.executors.base import BaseExecutor

from taskcfg.scheduling.job import DueJob


class NotingExecutor(BaseExecutor):  # type: ignore[misc]  # APScheduler has no types
    """Buffers submitted jobs. It publishes nothing: an exception here would lose the fire, since
    APScheduler logs it and advances the job all the same."""

    def __init__(self) -> None:
        super().__init__()
        self._submitted: list[DueJob] = []

    def submit_job(self, job: DueJob, run_times: Sequence[datetime]) -> None:
        # Not BaseExecutor's: that counts instances, and nothing would ever count them down.
        self._submitted.append(job)

    def _do_submit_job(self, job: DueJob, run_times: Sequence[datetime]) -> None:
        self._submitted.append(job)

    def take(self) -> list[DueJob]:
        """Return what was submitted since the last call, and forget it."""
        submitted, self._submitted = self._submitted, []
        return submitted
