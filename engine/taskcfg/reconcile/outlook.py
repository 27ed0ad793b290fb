"""What a plan does to the times at which tasks fire: before and after, gained and lost. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import assert_never

from taskcfg.reconcile.plan import Change, ChangeKey, Create, Delete, Plan, Rename, Update, key_of
from taskcfg.spec.clock_effects import ChangeDay, change_days
from taskcfg.spec.fire_time import Coming, fire_time, same_times
from taskcfg.spec.pause import Pause
from taskcfg.spec.task import TaskSpec
from taskcfg.spec.times.timetable import Timetable, timetable
from taskcfg.spec.words import schedule_words

HORIZON = timedelta(days=7)

IMMINENT = timedelta(minutes=5)
"""A fire that comes so soon is named: whoever applies wants to know what becomes of it."""

MOST_COMPARED = 200_000
"""Nominal times of all changes together that are compared one by one."""

LEAST_COMPARED = 50
MOST_COUNTED = 1_000_000

_MICROSECOND = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class Outlook:
    """What one spec gives: its schedule in words, the next fire, and how many until the horizon's end.

    A disabled task gives none, nor one that is paused as long as it is.
    """

    words: str
    coming: Coming | None
    fires: int


@dataclass(frozen=True, slots=True)
class FiresChange:
    """The fires of one task before and after a change; None where it is not declared, or cannot be read.

    `added` and `removed` are the nominal times within `horizon` that only one of the two gives; it is as
    far as was asked for, or less where there are too many times to compare. `imminent` is a fire that comes
    within minutes, and `keeps_imminent` whether it still does after the change. `clock_changes` are those
    within `horizon` that do something to what the task will fire.
    """

    before: Outlook | None
    after: Outlook | None
    added: int
    removed: int
    horizon: timedelta
    imminent: datetime | None = None
    keeps_imminent: bool = False
    clock_changes: tuple[ChangeDay, ...] = ()

    @property
    def moves(self) -> bool:
        """Whether the task fires at other times than before, be it beyond the horizon or after a pause."""
        if self.before is None or self.after is None or self.before.words != self.after.words:
            return True
        return bool(self.added or self.removed)


NO_FIRES: Mapping[ChangeKey, FiresChange] = {}


@dataclass(frozen=True, slots=True)
class _Times:
    """The times of one spec from `start` on; `table` None gives none."""

    spec: TaskSpec
    table: Timetable | None
    start: datetime

    def coming(self) -> Coming | None:
        found = None if self.table is None else self.table.next_after(self.start - _MICROSECOND)
        if found is None:
            return None
        return Coming(found.at, fire_time(self.spec.name, self.spec.policy.jitter, found.at))

    def count(self, end: datetime) -> int:
        if self.table is None or end <= self.start:
            return 0
        return self.table.count_between(self.start, end - _MICROSECOND, MOST_COUNTED)[0]

    def instants(self, end: datetime) -> set[datetime]:
        if self.table is None:
            return set()
        return {each.at for each in self.table.between(self.start, end, MOST_COMPARED)}


def outlooks(plan: Plan, now: datetime, horizon: timedelta = HORIZON) -> dict[ChangeKey, FiresChange]:
    """Return what each change of *plan* does to its task's fires from *now* on.

    Pauses end when they say. Many changes are compared less far than few, so that it costs about the same.
    """
    updates = sum(isinstance(change, Update) for change in plan.changes)
    most = max(MOST_COMPARED // max(updates, 1), LEAST_COMPARED)
    return {
        key_of(change): _fires_change(change, plan.paused.get(change.name), now, now + horizon, most)
        for change in plan.changes
    }


def _fires_change(
    change: Change, pause: Pause | None, now: datetime, end: datetime, most: int
) -> FiresChange:
    match change:
        case Create(spec):
            old, new = None, _times_of(spec, pause, now)
        case Update(live, spec) | Rename(live, spec):
            old, new = _times_of(live.spec, pause, now), _times_of(spec, pause, now)
        case Delete(live):
            old, new = _times_of(live.spec, pause, now), None
        case _:
            assert_never(change)
    if old is not None and new is not None and same_times(old.spec, new.spec):
        until, added, removed = end, 0, 0
    else:
        until, added, removed = _compared(old, new, end, most)
    days = () if new is None or new.table is None else tuple(_surprises(new, until))
    imminent = _imminent(old, now)
    return FiresChange(
        _outlook(old, until),
        _outlook(new, until),
        added,
        removed,
        until - now,
        imminent,
        imminent is not None and new is not None and _gives(new, imminent),
        days,
    )


def _times_of(spec: TaskSpec | None, pause: Pause | None, now: datetime) -> _Times | None:
    """Return the times of *spec*, None where there is none or it cannot be read."""
    if spec is None:
        return None
    silent = not spec.enabled or (pause is not None and pause.until is None)
    start = now if pause is None or pause.until is None else max(now, pause.until)
    try:
        return _Times(spec, None if silent else timetable(spec.schedule, spec.timezone), start)
    except ValueError:
        return None


def _outlook(times: _Times | None, until: datetime) -> Outlook | None:
    if times is None:
        return None
    words = schedule_words(times.spec.schedule, times.spec.timezone)
    return Outlook(words, times.coming(), times.count(until))


def _compared(old: _Times | None, new: _Times | None, end: datetime, most: int) -> tuple[datetime, int, int]:
    """Return until when the two were compared, and how many times only *new* and only *old* gives."""
    if old is None or new is None or old.table is None or new.table is None:
        return end, new.count(end) if new else 0, old.count(end) if old else 0
    start = min(old.start, new.start)
    while (total := old.count(end) + new.count(end)) > most:
        end = start + max((end - start) * (most / total) * 0.9, timedelta(seconds=1))
        if end - start <= timedelta(seconds=1):
            break
    before, after = old.instants(end), new.instants(end)
    return end, len(after - before), len(before - after)


def _imminent(old: _Times | None, now: datetime) -> datetime | None:
    coming = None if old is None else old.coming()
    return None if coming is None or coming.nominal_at - now > IMMINENT else coming.nominal_at


def _gives(times: _Times, instant: datetime) -> bool:
    if times.table is None:
        return False
    found = times.table.next_after(instant - _MICROSECOND)
    return found is not None and found.at == instant


def _surprises(times: _Times, until: datetime) -> Iterator[ChangeDay]:
    spec = times.spec
    for day in change_days(spec.schedule, spec.timezone, times.start, until):
        if day.effects:
            yield day
