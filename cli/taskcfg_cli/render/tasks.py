"""A task's facts in words."""

from __future__ import annotations

from datetime import datetime, timedelta

from taskcfg.control.documents import last_state
from taskcfg.spec.schedule import Qualified, parts_of
from taskcfg.spec.times.timetable import timetable
from taskcfg.spec.words import schedule_line
from taskcfg.store.task_list import TaskRow
from taskcfg_cli.render.times import local_words, relative

_MICROSECOND = timedelta(microseconds=1)


def rule_text(task: TaskRow) -> str | None:
    """Return the schedule, and the zone where it matters: `30 3 * * * (Europe/Berlin)`."""
    return None if task.spec is None else schedule_line(task.spec.schedule, task.spec.timezone)


def next_text(task: TaskRow, now: datetime) -> str | None:
    """Return when the task fires next, in its schedule's zone, None when it will not."""
    if task.next_fire_at is None:
        return None
    zone = _next_zone(task)
    text = f"{local_words(task.next_fire_at, zone, now)}, {relative(task.next_fire_at, now)}"
    if task.next_nominal_at in (None, task.next_fire_at):
        return text
    return f"{text} (nominal {local_words(task.next_nominal_at, zone, now)})"


def last_text(task: TaskRow, now: datetime) -> str | None:
    """Return how the task's last execution or fire stands, and how long its last nominal time is ago."""
    state = last_state(task)
    if state is None or task.last_nominal_at is None:
        return state
    return f"{state}, {relative(task.last_nominal_at, now)}"


def _next_zone(task: TaskRow) -> str:
    """Return the zone whose clock gives the task's next nominal time: a schedule may have its own."""
    if task.spec is None or task.next_nominal_at is None:
        return zone_of(task)
    if not any(isinstance(part, Qualified) and part.timezone for part in parts_of(task.spec.schedule)):
        return zone_of(task)
    try:
        table = timetable(task.spec.schedule, task.spec.timezone)
        found = table.next_after(task.next_nominal_at - _MICROSECOND)
    except ValueError:
        return zone_of(task)  # `show` says what is wrong with it
    return zone_of(task) if found is None else found.zone.key


def zone_of(task: TaskRow) -> str:
    return task.spec.timezone if task.spec else "UTC"
