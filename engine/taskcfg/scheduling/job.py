"""A due task as APScheduler sees it: a job whose run times are decided already."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from apscheduler.job import Job
from apscheduler.triggers.base import BaseTrigger

from taskcfg.spec.fires import Advance

EXECUTOR = "default"


class DecidedTrigger(BaseTrigger):  # type: ignore[misc]  # APScheduler has no types
    """Answers with what the decision says comes next; the arithmetic is done before."""

    __slots__ = ("_next",)

    def __init__(self, next_nominal_at: datetime | None) -> None:
        self._next = next_nominal_at

    def get_next_fire_time(self, previous_fire_time: datetime | None, now: datetime) -> datetime | None:
        return self._next


class DueJob(Job):  # type: ignore[misc]  # APScheduler has no types
    """One claimed task on its way through a pass.

    Job's own constructor validates at length (about 60 microseconds), and its own search for run
    times is unbounded and reads this machine's clock; here they are a decision made with the
    database's.
    """

    def __init__(self, advance: Advance, run_times: Sequence[datetime]) -> None:
        decision = advance.decision
        self.advance = advance
        self.run_times = list(run_times)
        self.id = str(advance.task.id)
        self.name = advance.task.spec.name
        self.executor = EXECUTOR
        self.coalesce = False
        self.next_run_time = self.run_times[0]
        self.trigger = DecidedTrigger(decision.next_nominal_at if decision else None)

    def _get_run_times(self, now: datetime) -> list[datetime]:
        return self.run_times

    def _modify(self, **changes: Any) -> None:
        self.next_run_time = changes["next_run_time"]
