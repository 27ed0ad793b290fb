"""From a claimed row to what is done with it: a decision, or the reason why there can be none."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable
from dataclasses import fields, replace
from datetime import datetime, timedelta
from operator import attrgetter

from taskcfg.spec.due import Decision, Rules, decide, decide_to_edit
from taskcfg.spec.fire_time import Coming
from taskcfg.spec.fires import Advance, DueTask, message_of
from taskcfg.spec.pause import settle
from taskcfg.spec.policy import CatchUp
from taskcfg.spec.times.timetable import Timetable, timetable
from taskcfg.spec.times.zones import UnknownZone, zone_named

_CANNOT = (ValueError, KeyError, TypeError, ArithmeticError)
"""What a schedule or a message raises that cannot be worked out."""


def advance(task: DueTask, now: datetime) -> Advance:
    """Decide about *task* as of *now*, the database's time.

    Never raises: a schedule or a message that cannot be worked out becomes the advance's
    `error`, so that one bad row does not hold up the others of its batch.
    """
    return _advance(task, lambda rules, start: decide(rules, next_nominal_at=start, now=now))


def advance_all(tasks: Iterable[DueTask], now: datetime) -> list[Advance]:
    """Decide about each of *tasks*, as `advance`; what tasks with one schedule share is worked out once."""
    known: dict[Hashable, Advance] = {}
    advances = []
    for task in tasks:
        policy = task.spec.policy
        if policy.jitter:
            advances.append(advance(task, now))  # its fire time depends on its name
            continue
        # Schedules and policies that are written alike are one object where a batch was read.
        kind = (id(task.spec.schedule), task.spec.timezone, id(policy), *_STANDING(task))
        shared = known.get(kind)
        each = advance(task, now) if shared is None else _alike(task, shared)
        if each.error is None:
            known[kind] = each
        advances.append(each)
    return advances


_OWN = ("id", "spec", "version")
_STANDING = attrgetter(*(field.name for field in fields(DueTask) if field.name not in _OWN))
"""Whatever of a claimed row decides about it, beside its schedule and its policy."""


def _alike(task: DueTask, other: Advance) -> Advance:
    """Return what *other* means for *task*, whose message alone is its own."""
    try:
        message_of(task.spec)
    except _CANNOT as error:
        return Advance(task, None, error=error_text(error))
    return Advance(task, other.decision, resume_at=other.resume_at)


def advance_to_edit(task: DueTask, now: datetime) -> Advance:
    """Decide about *task* before its schedule changes at *now*. Never raises, as `advance`.

    Every nominal time until *now* belongs to the old schedule, also one whose fire time is yet to
    come: it is recorded too, and goes out then.
    """
    return _advance(task, lambda rules, start: decide_to_edit(rules, next_nominal_at=start, now=now))


def advance_past_pause(task: DueTask, missed: CatchUp, end: datetime) -> Advance:
    """Decide about what *task* missed before *end*, when its pause ends there. Never raises, as `advance`."""
    return _advance(task, lambda rules, start: settle(rules, missed, start=start, end=end))


def advance_paused_to_edit(task: DueTask, now: datetime) -> Advance:
    """Decide about what the paused *task* missed until *now*, when its schedule changes. Never raises.

    Every nominal time until *now* counts as missed, also one whose fire time is yet to come.
    """
    policy = replace(task.spec.policy, jitter=timedelta(0))
    unspread = replace(task, spec=replace(task.spec, policy=policy))
    end = now + timedelta(microseconds=1)
    return _advance(unspread, lambda rules, start: settle(rules, CatchUp.NONE, start=start, end=end))


def missed_since(task: DueTask, now: datetime) -> datetime | None:
    """Return the first nominal time that *task* has missed until *now*, None when there is none to tell."""
    try:
        first = _timetable(task).next_after(_before(task))
    except (ValueError, ArithmeticError):
        return None
    return first.at if first is not None and first.at <= now else None


def _advance(task: DueTask, decision: Callable[[Rules, datetime], Decision | None]) -> Advance:
    try:
        spec = task.spec
        message_of(spec)
        rules = Rules(spec.name, spec.policy, _timetable(task), task.live)
        start = rules.nominal_after(_before(task))
        decided = None if start is None else decision(rules, start)
        if decided is not None or start is None:
            return Advance(task, decided)
        return Advance(task, None, resume_at=Coming(start, rules.fire_at(start)))
    except _CANNOT as error:
        return Advance(task, None, error=error_text(error))


def error_text(error: Exception) -> str:
    """Return why a task cannot be worked out: what is ours as it is said, all else with its kind."""
    return str(error) if isinstance(error, UnknownZone) else f"{type(error).__name__}: {error}"


def _timetable(task: DueTask) -> Timetable:
    """Return the nominal times of *task*, and the one it was promised to fire at, whatever clocks say now."""
    table = timetable(task.spec.schedule, task.spec.timezone)
    if not task.promised:
        return table
    return table.with_instant(task.next_nominal_at, zone_named("UTC"))


def _before(task: DueTask) -> datetime:
    """Return the instant after which the next nominal time counts: one that fired must not fire again."""
    before = task.next_nominal_at - timedelta(microseconds=1)
    return before if task.last_nominal_at is None else max(before, task.last_nominal_at)
