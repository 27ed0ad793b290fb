"""From a claimed row to what is done with it: a decision, or the reason why there can be none."""

from __future__ import annotations

from datetime import datetime, timedelta

from taskcfg.spec.due import decide
from taskcfg.spec.fires import Advance, DueTask, message_of
from taskcfg.spec.pause import settle
from taskcfg.spec.policy import CatchUp
from taskcfg.spec.timetable import timetable


def advance(task: DueTask, now: datetime) -> Advance:
    """Decide about *task* as of *now*, the database's time.

    Never raises: a schedule or a message that cannot be worked out becomes the advance's
    `error`, so that one bad row does not hold up the others of its batch.
    """
    try:
        table = timetable(task.spec.schedule, task.spec.timezone)
        message_of(task.spec)
        start = table.next_after(_before(task))
        if start is None or start > now:
            return Advance(task, None, resume_at=start)
        return Advance(task, decide(table, task.spec.policy, next_nominal_at=start, now=now, live=task.live))
    except (ValueError, KeyError, TypeError, ArithmeticError) as error:
        return Advance(task, None, error=f"{type(error).__name__}: {error}")


def advance_past_pause(task: DueTask, missed: CatchUp, end: datetime) -> Advance:
    """Decide about what *task* missed before *end*, when its pause ends there. Never raises, as `advance`."""
    try:
        table = timetable(task.spec.schedule, task.spec.timezone)
        message_of(task.spec)
        start = table.next_after(_before(task))
        if start is None or start >= end:
            return Advance(task, None, resume_at=start)
        return Advance(
            task, settle(table, task.spec.policy.overlap, missed, start=start, end=end, live=task.live)
        )
    except (ValueError, KeyError, TypeError, ArithmeticError) as error:
        return Advance(task, None, error=f"{type(error).__name__}: {error}")


def missed_since(task: DueTask, now: datetime) -> datetime | None:
    """Return the first nominal time that *task* has missed until *now*, None when there is none to tell."""
    try:
        first = timetable(task.spec.schedule, task.spec.timezone).next_after(_before(task))
    except (ValueError, ArithmeticError):
        return None
    return first if first is not None and first <= now else None


def _before(task: DueTask) -> datetime:
    """Return the instant after which the next nominal time counts.

    A row changed by hand may name a next nominal time that its schedule does not give, and one
    that fired already must not fire again.
    """
    before = task.next_nominal_at - timedelta(microseconds=1)
    return before if task.last_nominal_at is None else max(before, task.last_nominal_at)
