"""What clock changes do to a schedule, in facts and in words."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from taskcfg.spec.cron_words import joined
from taskcfg.spec.schedule import Part, Qualified, Schedule, parts_of, qualified, zone_of
from taskcfg.spec.times.clock_changes import ClockChange, clock_changes
from taskcfg.spec.times.cron_rules import cron_rule
from taskcfg.spec.times.nominal import NominalTime
from taskcfg.spec.times.timetable import Timetable, timetable
from taskcfg.spec.times.zones import zone_named
from taskcfg.spec.words import part_text

MOST_NAMED = 3
_NONE = timedelta(0)
_SECOND = timedelta(seconds=1)
_MICROSECOND = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class Effect:
    """What a clock change does to one schedule.

    `times` of its wall times, the first few of them in `named` (naive), are skipped or shown twice,
    and `fires` is how often they fire. The schedule itself is shown by `schedule`.
    """

    schedule: str
    times: int
    named: tuple[datetime, ...]
    last: datetime
    fires: int
    words: str


@dataclass(frozen=True, slots=True)
class ChangeDay:
    """A clock change, and what it does to those schedules of a task that it concerns."""

    change: ClockChange
    effects: tuple[Effect, ...]

    @property
    def heading(self) -> str:
        """Return `Sun 29 Mar 2026, clocks go from 02:00 to 03:00`."""
        change = self.change
        go = "go" if change.shift > _NONE else "go back"
        old, new = change.old, change.new
        return f"{_date(old)} {old.year}, clocks {go} from {_clock(old)} to {_named(new, old.date())}"


def change_days(schedule: Schedule, zone: str, start: datetime, end: datetime) -> list[ChangeDay]:
    """Return the clock changes in [start, end) of the zones whose clocks *schedule* reads, in order.

    *zone* is the task's. Raises ValueError as `timetable` does.
    """
    by_clock = [part for part in parts_of(schedule) if cron_rule(part) is not None]
    zones = dict.fromkeys(zone_of(part, zone) for part in by_clock)
    changes = [change for name in zones for change in clock_changes(zone_named(name), start, end)]
    return [
        ChangeDay(change, tuple(_effects(by_clock, zone, change)))
        for change in sorted(changes, key=lambda each: (each.at, each.zone.key))
    ]


def clock_note(nominal: NominalTime, table: Timetable) -> str | None:
    """Return what a clock change has to do with *nominal*, a time of *table*: None where it is none's."""
    local = nominal.local
    if nominal.skipped is not None:
        if nominal.skipped.date() == local.date():
            return f"{_clock(nominal.skipped)} does not exist that day: runs at {_clock(local)}"
        return f"{_named(nominal.skipped, None)} does not exist: runs at {_named(local, None)}"
    first, second = local.replace(fold=0).utcoffset(), local.replace(fold=1).utcoffset()
    if first == second or first is None or second is None:
        return None
    which, other = ("second", second - first) if local.fold else ("first", first - second)
    twin = table.next_after(nominal.at + other - _MICROSECOND)
    both = twin is not None and twin.at == nominal.at + other
    return f"{_clock(local)} comes twice: {'this is' if both else 'fires once,'} the {which}"


def _effects(parts: list[Part], zone: str, change: ClockChange) -> Iterator[Effect]:
    for part in parts:
        effect = _effect(part, zone, change) if zone_of(part, zone) == change.zone.key else None
        if effect is not None:
            yield effect


def _effect(part: Part, zone: str, change: ClockChange) -> Effect | None:
    """Return what *change* does to *part*, None where none of its times is concerned."""
    times, named, last = _named_times(part, min(change.old, change.new), max(change.old, change.new))
    if not named or not _counts_then(part, change):
        return None
    rule, table = cron_rule(part), timetable(part, zone)
    real = rule is not None and rule.follows_real_time
    day = change.old.date()
    which = _which(times, named, last, day)
    many = times > 1
    if change.shift > _NONE:
        found = table.previous_before(change.at + _MICROSECOND)
        fires = int(found is not None and found.at == change.at and found.skipped is not None)
        words = f"{which} {'do' if many else 'does'} not exist; "
        words += _gap_words(real, times, fires, _named(change.new, day), many)
    else:
        first = table.count_between(change.at + change.shift, change.at - _SECOND, 1)[0]
        second = table.count_between(change.at, change.at - change.shift - _SECOND, 1)[0]
        if not (fires := first + second):
            return None  # outside its bounds
        words = f"{which} {'come' if many else 'comes'} twice; {_overlap_words(real, times, first, second)}"
    prefix = "follows real time: " if real else ""
    return Effect(part_text(part, zone), times, named, last, fires, prefix + words)


def _gap_words(real: bool, times: int, fires: int, new: str, many: bool) -> str:
    if real:
        return f"{times:,} {'fires' if many else 'fire'} fewer that day"
    if not fires:
        return "does not fire for them" if many else "does not fire"
    return f"fires {'once, ' if many else ''}at {new}"


def _overlap_words(real: bool, times: int, first: int, second: int) -> str:
    if real and first == second == times:
        return f"{times:,} {'fires' if times > 1 else 'fire'} more that day"
    each = "each fires" if times > 1 else "fires"
    if first == times and not second:
        return f"{each} once, the first{' time' if times > 1 else ''}"
    if first == second == times:
        return f"{each} both times"
    return f"fires {first:,} times the first time round and {second:,} the second"


def _named_times(part: Part, first: datetime, end: datetime) -> tuple[int, tuple[datetime, ...], datetime]:
    """Return how many wall times of *part* are in [first, end), the first few, and the last."""
    beside = part if isinstance(part, Qualified) else Qualified(part)
    # In UTC, whose clock skips and repeats nothing, instants are wall times.
    wall = timetable(qualified(beside.rule, skip_on=beside.skip_on, only_on=beside.only_on), "UTC")
    start, until = first.replace(tzinfo=UTC), end.replace(tzinfo=UTC)
    named = tuple(each.wall for each in wall.between(start, until, MOST_NAMED))
    times, last = wall.count_between(start, until - _SECOND, 1)
    return times, named, last.replace(tzinfo=None) if last is not None else first


def _counts_then(part: Part, change: ClockChange) -> bool:
    """Say whether the bounds of *part* leave it anything around *change*."""
    if not isinstance(part, Qualified):
        return True
    around = abs(change.shift) if change.shift < _NONE else _NONE
    started = part.start is None or part.start < change.at + around or part.start == change.at
    return started and (part.end is None or part.end > change.at - around)


def _which(times: int, named: tuple[datetime, ...], last: datetime, day: date) -> str:
    if times <= MOST_NAMED:
        return joined([_named(each, day) for each in named])
    return f"{times:,} times from {_named(named[0], day)} to {_named(last, day)}"


def _named(wall: datetime, day: date | None) -> str:
    """Return the time, with its date where that is not *day*."""
    return _clock(wall) if wall.date() == day else f"{_date(wall)} {_clock(wall)}"


def _date(wall: datetime) -> str:
    return f"{wall:%a} {wall.day} {wall:%b}"


def _clock(wall: datetime) -> str:
    return f"{wall:%H:%M:%S}" if wall.second else f"{wall:%H:%M}"
