"""How long the history is kept: which fires that ended may be deleted, and which never."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from types import MappingProxyType

from taskcfg.spec.fires import EventState, ExecutionState

FAILED = "failed"
"""What `done` is called where the last attempt did not succeed."""

ENDED = (
    EventState.DONE.value,
    FAILED,
    EventState.SKIPPED.value,
    EventState.MISSED.value,
    EventState.EXPIRED.value,
    EventState.DEAD.value,
    EventState.CANCELLED.value,
)
"""The ways in which a fire ends."""

UNSUCCESSFUL = (
    ExecutionState.FAILED,
    ExecutionState.TIMED_OUT,
    ExecutionState.LOST,
    ExecutionState.CANCELLED,
)

LEAST_AGE = timedelta(hours=1)
"""What ended less long ago than this is never deleted by itself: somebody may be waiting for it, and the
same request asked twice finds the fire that it has."""


@dataclass(frozen=True, slots=True)
class Retention:
    """What goes: fires that ended in one of the ways of `ages`, longer ago than that, but for the newest
    `keep` of each task. An age of zero means that only `keep` decides.
    """

    ages: Mapping[str, timedelta] = field(default_factory=lambda: MappingProxyType({}))
    keep: int = 0

    @property
    def least_age(self) -> timedelta:
        """The age that everything that goes has reached."""
        return min(self.ages.values(), default=timedelta.max)

    @property
    def tells_failures(self) -> bool:
        """Whether it matters how the last attempt of a fire that is `done` ended."""
        return self.ages.get(FAILED) != self.ages.get(EventState.DONE.value)

    def lets_go(self, ended_as: str, age: timedelta) -> bool:
        """Say whether a fire may go by its age; whether it is among the newest is another question."""
        limit = self.ages.get(ended_as)
        return limit is not None and age >= limit


def retention_of(ages: Mapping[str, timedelta], rest: timedelta | None, keep: int | None) -> Retention:
    """Return what the setting means: *ages* by way of ending, *rest* for the others, and what is kept.

    `failed` goes as `done` does, unless it has an age of its own. A count alone means that whatever
    is not among the newest goes. Without a count the newest fire of each task stays.
    """
    known = dict(ages)
    if rest is None and not known and keep is not None:
        rest = timedelta(0)
    if FAILED not in known and EventState.DONE.value in known:
        known[FAILED] = known[EventState.DONE.value]
    for ended_as in ENDED:
        if rest is not None:
            known.setdefault(ended_as, rest)
    least = {ended_as: max(age, LEAST_AGE) for ended_as, age in known.items()}
    return Retention(MappingProxyType(least), 1 if keep is None else keep)


@dataclass(frozen=True, slots=True)
class Ended:
    """A fire in the history: how it ended, and when; for a `missed` one when it was recorded."""

    state: str
    ended_at: datetime
    failed: bool = False

    @property
    def ended_as(self) -> str:
        return FAILED if self.failed and self.state == EventState.DONE else self.state
