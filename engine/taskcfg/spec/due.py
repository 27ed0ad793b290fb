"""What to do with a task that is due: which fires to record, and when the next one is."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from taskcfg.spec.policy import CatchUp, Overlap, OverlapMode, Policy
from taskcfg.spec.timetable import Timetable, between

MISSED_AFTER = timedelta(seconds=30)
"""A fire taken longer than this after its fire time is missed; a less late one always fires."""

SPAN_LIMIT = 100_000
"""The most missed instants one decision covers; a longer outage is settled in several."""

_MICROSECOND = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class DueFire:
    """One nominal time to record: to be sent, or `skipped` for the reason given."""

    nominal_at: datetime
    fire_at: datetime
    skipped: str | None = None


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
    once, by a fire or by the span. `next_nominal_at` is None when the schedule has ended.
    """

    fires: tuple[DueFire, ...]
    missed: MissedSpan | None
    last_nominal_at: datetime
    next_nominal_at: datetime | None

    @property
    def next_fire_at(self) -> datetime | None:
        return self.next_nominal_at


def decide(
    table: Timetable, policy: Policy, *, next_nominal_at: datetime, now: datetime, live: int
) -> Decision:
    """Decide about every nominal time from *next_nominal_at*, itself one and due, until *now*.

    *live* is the number of the task's fires that are recorded and not finished. The work is
    bounded: at most `SPAN_LIMIT` missed instants are counted, and what is left then is
    decided by the next call, which starts from the returned `next_nominal_at`.
    """
    cutoff = now - MISSED_AFTER
    count, last_missed = table.count_between(next_nominal_at, cutoff - _MICROSECOND, SPAN_LIMIT)
    if last_missed is None:
        due = list(between(table, next_nominal_at, now + _MICROSECOND, SPAN_LIMIT))
        return _decision(table, policy, due, None, live)
    rest = table.next_after(last_missed)
    if rest is not None and rest < cutoff:
        span = MissedSpan(
            next_nominal_at, last_missed, count, "missed: the outage is longer than one pass covers"
        )
        return Decision((), span, last_missed, rest)
    due = list(between(table, rest, now + _MICROSECOND, SPAN_LIMIT)) if rest is not None else []
    if _made_up(policy, last_missed, now):
        due.insert(0, last_missed)
        earlier, last = table.count_between(next_nominal_at, last_missed - _MICROSECOND, SPAN_LIMIT)
        span_or_none = (
            MissedSpan(next_nominal_at, last, earlier, "missed: only the latest is made up") if last else None
        )
    else:
        span_or_none = MissedSpan(next_nominal_at, last_missed, count, _reason(policy))
    return _decision(table, policy, due, span_or_none, live, last_missed)


def _made_up(policy: Policy, last_missed: datetime, now: datetime) -> bool:
    if policy.catch_up is CatchUp.ALL:
        raise ValueError("catch_up `all` is not supported by this version")
    return policy.catch_up is CatchUp.LATEST and last_missed >= now - policy.catch_up_window


def _reason(policy: Policy) -> str:
    return (
        "missed: catch_up is `none`" if policy.catch_up is CatchUp.NONE else "missed: outside catch_up_window"
    )


def _decision(
    table: Timetable,
    policy: Policy,
    due: list[datetime],
    span: MissedSpan | None,
    live: int,
    last_missed: datetime | None = None,
) -> Decision:
    last = due[-1] if due else last_missed
    if last is None:
        raise ValueError("nothing is due")
    if last_missed is not None:
        last = max(last, last_missed)
    return Decision(tuple(with_overlap(due, policy.overlap, live)), span, last, table.next_after(last))


def with_overlap(due: Iterable[datetime], overlap: Overlap, live: int) -> Iterator[DueFire]:
    """Yield the fires at the times *due*, those that *overlap* does not let go as skipped."""
    if overlap.mode not in (OverlapMode.SKIP, OverlapMode.ALLOW) or overlap.limit is not None:
        raise ValueError(f"overlap `{overlap.document()}` is not supported by this version")
    for nominal in due:
        if overlap.mode is OverlapMode.SKIP and live:
            yield DueFire(nominal, nominal, skipped="overlap: an earlier fire is still live")
        else:
            live += 1
            yield DueFire(nominal, nominal)
