"""A task's facts in words."""

from __future__ import annotations

from datetime import datetime

from taskcfg.control.documents import last_state
from taskcfg.spec.schedule import Cron, schedule_text
from taskcfg.store.task_list import TaskRow
from taskcfg_cli.render.times import local_words, relative


def rule_text(task: TaskRow) -> str | None:
    """Return the schedule, and the zone where it matters: `30 3 * * * (Europe/Berlin)`."""
    if task.spec is None:
        return None
    text = schedule_text(task.spec.schedule)
    return f"{text} ({task.spec.timezone})" if isinstance(task.spec.schedule, Cron) else text


def next_text(task: TaskRow, now: datetime) -> str | None:
    """Return when the task fires next, in its own zone, None when it will not."""
    if task.next_fire_at is None:
        return None
    return f"{local_words(task.next_fire_at, zone_of(task), now)}, {relative(task.next_fire_at, now)}"


def last_text(task: TaskRow, now: datetime) -> str | None:
    """Return how the task's last execution or fire stands, and how long its last nominal time is ago."""
    state = last_state(task)
    if state is None or task.last_nominal_at is None:
        return state
    return f"{state}, {relative(task.last_nominal_at, now)}"


def zone_of(task: TaskRow) -> str:
    return task.spec.timezone if task.spec else "UTC"
