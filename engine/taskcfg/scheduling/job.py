"""A due task as APScheduler sees it: a job whose run times are decided already."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from apscheduler.job import Job
from apscheduler.triggers.base import BaseTrigger

from taskcfg.spec.fires import Advance
from taskcfg.spec.times.timetable import Timetable, timetable

EXECUTOR = "default"


class TimetableTrigger(BaseTrigger):  # type: ignore[misc]  # APScheduler has no types
    """A schedule's nominal times, for APScheduler: whatever asks gets them from the one fire-time core."""

    __slots__ = ("_timetable",)

    def __init__(self, timetable: Timetable) -> None:
        self._timetable = timetable

    def get_next_fire_time(self, previous_fire_time: datetime | None, now: datetime) -> datetime | None:
        """Return the first nominal time after *previous_fire_time*, or, before any, after *now*."""
        found = self._timetable.next_after(previous_fire_time or now)
        return None if found is None else found.at


class DueJob(Job):  # type: ignore[misc]  # APScheduler has no types
    """One claimed task on its way through a pass.

    Job's own constructor validates at length (about 60 microseconds), and its own search for run
    times is unbounded and reads this machine's clock; here they are a decision made with the
    database's.
    """

    def __init__(self, advance: Advance, run_times: Sequence[datetime]) -> None:
        spec = advance.task.spec
        self.advance = advance
        self.run_times = list(run_times)
        self.id = str(advance.task.id)
        self.name = spec.name
        self.executor = EXECUTOR
        self.coalesce = False
        self.next_run_time = self.run_times[0]
        self.trigger = TimetableTrigger(timetable(spec.schedule, spec.timezone))

    def _get_run_times(self, now: datetime) -> list[datetime]:
        return self.run_times

    def _modify(self, **changes: Any) -> None:
        self.next_run_time = changes["next_run_time"]
