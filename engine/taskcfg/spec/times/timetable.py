"""Fire-time arithmetic: the one place that says when a schedule fires."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from typing import assert_never
from zoneinfo import ZoneInfo

from taskcfg.spec.schedule import At, Cron, CronFields, Every, Part, Qualified, Schedule, parts_of, zone_of
from taskcfg.spec.times.cron import CronRule, read_cron, read_cron_fields
from taskcfg.spec.times.days import EVERY_DAY, OpenDays
from taskcfg.spec.times.nominal import NominalTime, Times
from taskcfg.spec.times.plain_times import InstantTimes, IntervalTimes
from taskcfg.spec.times.qualified_times import BoundedTimes, DayTimes, UnitedTimes
from taskcfg.spec.times.wall_clock import WallClockTimes
from taskcfg.spec.times.zones import until_zones_change, zone_named

_MICROSECOND = timedelta(microseconds=1)
_REMEMBERED = 4
"""So many answers of a timetable are remembered: as many as a decision asks for, as a rule."""


class Timetable:
    """The nominal times of one schedule in one zone, ascending and distinct; pure, and the same from
    wherever one asks. Every instant given or returned is aware, and returned in UTC.
    """

    __slots__ = ("_answers", "_latest_count", "_times")

    def __init__(self, times: Times) -> None:
        self._times = times
        # Tasks that share a schedule are due together and ask the same questions one after the other.
        self._answers: dict[datetime, NominalTime | None] = {}
        self._latest_count: tuple[tuple[datetime, datetime, int], tuple[int, datetime | None]] | None = None

    def next_after(self, instant: datetime) -> NominalTime | None:
        """Return the first nominal time strictly after *instant*, None when there is none."""
        answers = self._answers
        try:
            return answers[instant]
        except KeyError:
            if len(answers) >= _REMEMBERED:
                answers.clear()
            found = answers[instant] = self._times.next_after(instant)
            return found

    def previous_before(self, instant: datetime) -> NominalTime | None:
        """Return the last nominal time strictly before *instant*, None when there is none."""
        return self._times.previous_before(instant)

    def between(self, start: datetime, end: datetime, limit: int) -> Iterator[NominalTime]:
        """Yield the nominal times in [start, end), in order, at most *limit*."""
        found = self.next_after(start - _MICROSECOND)
        while found is not None and found.at < end and limit > 0:
            yield found
            limit -= 1
            found = self.next_after(found.at)

    def with_instant(self, instant: datetime, zone: ZoneInfo) -> Timetable:
        """Return the timetable of these times and *instant*, which the clock of *zone* shows."""
        found = self.next_after(instant - _MICROSECOND)
        if found is not None and found.at == instant:
            return self
        return Timetable(UnitedTimes((InstantTimes((instant,), zone), self._times)))

    def count_between(self, start: datetime, end: datetime, limit: int) -> tuple[int, datetime | None]:
        """Count the nominal times in [start, end], and return the last that was counted.

        Those of a list of several dense schedules are counted one by one, and at most *limit*; all
        others are computed, however many they are.
        """
        question = (start, end, limit)
        latest = self._latest_count
        if latest is None or latest[0] != question:
            self._latest_count = latest = (question, self._times.count_between(start, end, limit))
        return latest[1]


@until_zones_change(4096)
def timetable(schedule: Schedule, zone: str) -> Timetable:
    """Return the timetable of *schedule*; *zone* (an IANA name) is its task's.

    Raises ValueError, with the reason, for a zone that does not exist and for an expression that
    cannot be read or never fires.
    """
    parts = [_part_times(part, zone) for part in parts_of(schedule)]
    return Timetable(parts[0] if len(parts) == 1 else UnitedTimes(parts))


def _part_times(part: Part, task_zone: str) -> Times:
    if not isinstance(part, Qualified):
        return _rule_times(Qualified(part), zone_named(task_zone))
    times = _rule_times(part, zone_named(zone_of(part, task_zone)))
    return times if part.start is None and part.end is None else BoundedTimes(times, part.start, part.end)


def _rule_times(part: Qualified, zone: ZoneInfo) -> Times:
    match part.rule:
        case Cron(expression):
            return _cron_times(read_cron(expression), part, zone)
        case CronFields(fields):
            return _cron_times(read_cron_fields(fields), part, zone)
        case Every(interval, anchor):
            return _on_days(IntervalTimes(interval, anchor, zone), part, zone)
        case At(instants):
            return _on_days(InstantTimes(instants, zone), part, zone)
        case _:
            assert_never(part.rule)


def _cron_times(rule: CronRule, part: Qualified, zone: ZoneInfo) -> Times:
    times = rule.times
    if part.skip_on or part.only_on:
        times = replace(times, days=OpenDays(times.days, part.skip_on, part.only_on))
    return WallClockTimes(times, zone, part.dst, real=rule.follows_real_time)


def _on_days(times: Times, part: Qualified, zone: ZoneInfo) -> Times:
    if not part.skip_on and not part.only_on:
        return times
    return DayTimes(times, OpenDays(EVERY_DAY, part.skip_on, part.only_on), zone)
