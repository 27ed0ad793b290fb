"""What to do with a task that is due: which fires to record, and when the next one is."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import takewhile
from typing import assert_never

from taskcfg.spec.fire_time import fire_time
from taskcfg.spec.overlap import Goes, Live, Skipped, Waits, admit_in_turn
from taskcfg.spec.policy import CatchUp, Policy
from taskcfg.spec.times.timetable import Timetable

MISSED_AFTER = timedelta(seconds=30)
"""A fire taken longer than this after its fire time is missed; a less late one always fires."""

SPAN_LIMIT = 100_000
"""The most missed instants of a list of schedules that one decision covers; more are settled in several."""

MOST_AT_ONCE = 100
"""The most missed fires that one decision makes up for; the next one goes on where it ended."""

_MICROSECOND = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class DueFire:
    """One nominal time to record: to be sent, or `skipped` for the reason given, or to be sent when its
    turn comes, with what it `waits` for."""

    nominal_at: datetime
    fire_at: datetime
    skipped: str | None = None
    waits: str | None = None


@dataclass(frozen=True, slots=True)
class MissedSpan:
    """`count` nominal times from `first` to `last`, both among them, that will not fire."""

    first: datetime
    last: datetime
    count: int
    reason: str


@dataclass(frozen=True, slots=True)
class Decision:
    """What is recorded for one due task, and how its row advances.

    Every nominal time from the row's `next_nominal_at` to `last_nominal_at` is covered exactly
    once, by a fire or by the span. `next_nominal_at` and `next_fire_at` are None when the schedule
    has ended.
    """

    fires: tuple[DueFire, ...]
    missed: MissedSpan | None
    last_nominal_at: datetime
    next_nominal_at: datetime | None
    next_fire_at: datetime | None


@dataclass(frozen=True, slots=True)
class Rules:
    """What a decision goes by: the task's name and policy, its nominal times, and which of its fires
    are live."""

    task: str
    policy: Policy
    table: Timetable
    live: Live

    def fire_at(self, nominal_at: datetime) -> datetime:
        return fire_time(self.task, self.policy.jitter, nominal_at)

    def nominal_after(self, instant: datetime) -> datetime | None:
        found = self.table.next_after(instant)
        return None if found is None else found.at

    def decided(self, nominals: Iterable[datetime], missed: MissedSpan | None, last: datetime) -> Decision:
        """Return the decision that records a fire at each of *nominals* and goes on after *last*."""
        following = self.nominal_after(last)
        return Decision(
            tuple(self._fires(nominals)),
            missed,
            last,
            following,
            None if following is None else self.fire_at(following),
        )

    def _fires(self, nominals: Iterable[datetime]) -> Iterator[DueFire]:
        """Yield the fires at *nominals*, with what the overlap policy makes of each."""
        times = list(nominals)
        admissions = admit_in_turn(self.policy.overlap, self.live, len(times))
        for nominal, admission in zip(times, admissions, strict=True):
            match admission:
                case Goes():
                    yield DueFire(nominal, self.fire_at(nominal))
                case Waits(reason):
                    yield DueFire(nominal, self.fire_at(nominal), waits=reason)
                case Skipped(reason):
                    yield DueFire(nominal, self.fire_at(nominal), skipped=reason)
                case _:
                    assert_never(admission)


def decide(rules: Rules, *, next_nominal_at: datetime, now: datetime) -> Decision | None:
    """Decide about every nominal time from *next_nominal_at*, itself one, whose fire time is not after *now*.

    None when there is none. The work is bounded: at most `MOST_AT_ONCE` missed fires are made up
    for, and at most `SPAN_LIMIT` counted one by one; what is left then is decided by the next call,
    which starts from the returned `next_nominal_at`.
    """
    last_missed = _last_missed(rules, next_nominal_at, now - MISSED_AFTER)
    if last_missed is None:
        due = _due(rules, next_nominal_at, now)
        return rules.decided(due, None, due[-1]) if due else None
    first = _first_made_up(rules, next_nominal_at, last_missed, now)
    until = last_missed + _MICROSECOND if first is None else first
    span = _span(rules, next_nominal_at, until, first is not None)
    if span is not None and _goes_on(rules, span.last, until):
        return rules.decided((), span, span.last)
    made_up = [] if first is None else _nominals(rules, first, last_missed + _MICROSECOND, MOST_AT_ONCE)
    if made_up and made_up[-1] < last_missed:
        return rules.decided(made_up, span, made_up[-1])
    rest = rules.nominal_after(last_missed)
    due = [] if rest is None else _due(rules, rest, now)
    return rules.decided([*made_up, *due], span, due[-1] if due else last_missed)


def decide_to_edit(rules: Rules, *, next_nominal_at: datetime, now: datetime) -> Decision | None:
    """Decide as `decide`; where nothing is left to it, about the nominal times until *now* whose fire
    time is yet to come: the schedule is about to change, and the next one knows nothing of them.
    """
    decision = decide(rules, next_nominal_at=next_nominal_at, now=now)
    if decision is not None:
        return decision
    to_come = _nominals(rules, next_nominal_at, now + _MICROSECOND, SPAN_LIMIT)
    return rules.decided(to_come, None, to_come[-1]) if to_come else None


def _last_missed(rules: Rules, first: datetime, cutoff: datetime) -> datetime | None:
    """Return the last nominal time from *first* on whose fire time is before *cutoff*."""
    if first >= cutoff:
        return None
    found = rules.table.previous_before(cutoff)
    while found is not None and found.at >= first:
        if rules.fire_at(found.at) < cutoff:
            return found.at
        found = rules.table.previous_before(found.at)
    return None


def _due(rules: Rules, first: datetime, now: datetime) -> list[datetime]:
    """Return the nominal times from *first* to the last whose fire time has come."""
    nominals = _nominals(rules, first, now + _MICROSECOND, SPAN_LIMIT)
    return list(takewhile(lambda nominal: rules.fire_at(nominal) <= now, nominals))


def _first_made_up(
    rules: Rules, next_nominal_at: datetime, last_missed: datetime, now: datetime
) -> datetime | None:
    """Return the first missed nominal time that is made up for; all later ones are too."""
    earliest = now - rules.policy.catch_up_window
    if rules.policy.catch_up is CatchUp.NONE or last_missed < earliest:
        return None
    if rules.policy.catch_up is CatchUp.LATEST:
        return last_missed
    return rules.nominal_after(max(earliest, next_nominal_at) - _MICROSECOND)


def _span(rules: Rules, first: datetime, until: datetime, some_made_up: bool) -> MissedSpan | None:
    """Return what is missed in [first, until), None where there is nothing; the count may end before."""
    number, counted = rules.table.count_between(first, until - _MICROSECOND, SPAN_LIMIT)
    if counted is None:
        return None
    if rules.policy.catch_up is CatchUp.NONE:
        reason = "missed: catch_up is `none`"
    elif rules.policy.catch_up is CatchUp.LATEST and some_made_up:
        reason = "missed: only the latest is made up"
    else:
        reason = "missed: outside catch_up_window"
    return MissedSpan(first, counted, number, reason)


def _goes_on(rules: Rules, last: datetime, until: datetime) -> bool:
    """Say whether a span that ends with *last* leaves some out before *until*."""
    following = rules.nominal_after(last)
    return following is not None and following < until


def _nominals(rules: Rules, start: datetime, end: datetime, limit: int) -> list[datetime]:
    return [found.at for found in rules.table.between(start, end, limit)]
