"""From nominal times to fire times: jitter, the same for a task and a nominal time every time."""

from __future__ import annotations

from datetime import datetime, timedelta
from hashlib import sha256
from typing import NamedTuple

from taskcfg.spec.instants import rfc3339
from taskcfg.spec.task import TaskSpec
from taskcfg.spec.times.timetable import timetable

_NONE = timedelta(0)


class Coming(NamedTuple):
    """A nominal time to come, and when its fire is dispatched."""

    nominal_at: datetime
    fire_at: datetime


def fire_time(task: str, jitter: timedelta, nominal_at: datetime) -> datetime:
    """Return when the fire of *task* at *nominal_at* is dispatched: up to *jitter* later, never by so much.

    The spread is the SHA-256 of name and nominal time, as a fraction: any process gives the same.
    """
    if jitter == _NONE:
        return nominal_at
    digest = sha256(f"{task}|{rfc3339(nominal_at)}".encode()).digest()
    microseconds = jitter // timedelta(microseconds=1)
    return nominal_at + timedelta(microseconds=microseconds * int.from_bytes(digest[:8], "big") >> 64)


def same_times(one: TaskSpec, other: TaskSpec) -> bool:
    """Say whether the two fire at the same times, so that going from one to the other moves nothing."""
    return _times(one) == _times(other)


def _times(spec: TaskSpec) -> tuple[object, ...]:
    # The name has to do with the times only where it spreads them.
    name = spec.name if spec.policy.jitter else None
    return name, spec.enabled, spec.schedule, spec.timezone, spec.policy.jitter


def coming_after(spec: TaskSpec, instant: datetime) -> Coming | None:
    """Return the first fire of *spec* whose nominal time is after *instant*, None when there is none.

    Raises ValueError as `timetable` does.
    """
    found = timetable(spec.schedule, spec.timezone).next_after(instant)
    if found is None:
        return None
    return Coming(found.at, fire_time(spec.name, spec.policy.jitter, found.at))
