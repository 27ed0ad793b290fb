"""What becomes of a fire that meets others of its task, and whose turn it is when one has ended."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from taskcfg.spec.policy import Overlap, OverlapMode

EARLIER_IS_LIVE = "overlap: an earlier fire is still live"
ONE_WAITS = "overlap: an earlier fire waits for its turn already"
REPLACED = "replaced by a later fire"
WAITS = "overlap: waits until the earlier fire has ended"
WAITS_TO_REPLACE = "overlap: waits until the fire that it replaces has ended"


@dataclass(frozen=True, slots=True)
class Live:
    """How many fires of a task are live. `going` had their turn: they are pending, between two attempts
    too, or published. `waiting` did not have it; `scheduled` of these nobody asked for."""

    going: int = 0
    waiting: int = 0
    scheduled: int = 0

    @property
    def total(self) -> int:
        return self.going + self.waiting

    def joined_by(self, admission: Admission, *, scheduled: bool = False) -> Live:
        """Return how many there are when one more was admitted."""
        match admission:
            case Goes():
                return replace(self, going=self.going + 1)
            case Waits():
                waits = self.scheduled + scheduled
                return replace(self, waiting=self.waiting + 1, scheduled=waits)
            case _:
                return self


@dataclass(frozen=True, slots=True)
class Goes:
    """It is sent at its time."""


@dataclass(frozen=True, slots=True)
class Waits:
    """It is sent when its turn comes; `reason` says what it waits for."""

    reason: str


@dataclass(frozen=True, slots=True)
class Skipped:
    """It is recorded and never sent."""

    reason: str


Admission = Goes | Waits | Skipped


def admit(overlap: Overlap, live: Live, *, scheduled: bool) -> Admission:
    """Decide about a fire that comes while *live* others of its task are there.

    One that somebody asked for (*scheduled* False: manual, backfill, retried) is never skipped.
    Under `replace` one that waits does away with all that are there: see `take_turn`.
    """
    match overlap.mode:
        case OverlapMode.SKIP if scheduled and live.total:
            return Skipped(EARLIER_IS_LIVE)
        case OverlapMode.ALLOW if scheduled and overlap.limit is not None and live.total >= overlap.limit:
            many = "fire is" if overlap.limit == 1 else "fires are"
            return Skipped(f"overlap: {overlap.limit} {many} live, and no more are allowed")
        case OverlapMode.WAIT if scheduled and live.scheduled:
            return Skipped(ONE_WAITS)
        case OverlapMode.WAIT if live.total:
            return Waits(WAITS)
        case OverlapMode.REPLACE if live.total:
            return Waits(WAITS_TO_REPLACE)
        case _:
            return Goes()


def admit_in_turn(overlap: Overlap, live: Live, number: int) -> Iterator[Admission]:
    """Decide about *number* scheduled fires that come at once, in their order.

    Under `replace` the last replaces those before, which are recorded as skipped.
    """
    if overlap.mode is OverlapMode.REPLACE and number:
        yield from (Skipped(REPLACED) for _ in range(number - 1))
        yield admit(overlap, live, scheduled=True)
        return
    for _ in range(number):
        admission = admit(overlap, live, scheduled=True)
        live = live.joined_by(admission, scheduled=True)
        yield admission


@dataclass(frozen=True, slots=True)
class LiveFire:
    """One live fire. `came_at` is when it was recorded or retried; `running` says that an attempt at it
    runs, `stopping` that this one was told to stop, `held` that somebody else is changing it right now."""

    id: UUID
    scheduled: bool
    waiting: bool
    fire_at: datetime
    came_at: datetime
    running: bool = False
    stopping: bool = False
    held: bool = False


@dataclass(frozen=True, slots=True)
class Turn:
    """What to do with a task's live fires: `goes` are sent now; `cancelled` are replaced at once;
    `stopped` run, and are to be stopped for being replaced. `again`: look again in a moment."""

    goes: tuple[UUID, ...] = ()
    cancelled: tuple[UUID, ...] = ()
    stopped: tuple[UUID, ...] = ()
    again: bool = False

    def __bool__(self) -> bool:
        return bool(self.goes or self.cancelled or self.stopped)


def take_turn(overlap: Overlap, fires: Iterable[LiveFire]) -> Turn:
    """Decide whose turn it is among the live *fires* of one task, by the policy that it has now.

    Turns go in order of fire time. Nothing waits while nothing else is live, whatever the policy
    became meanwhile; what somebody else is changing is left for the next look.
    """
    ordered = sorted(fires, key=lambda fire: (fire.fire_at, fire.id))
    waiting = [fire for fire in ordered if fire.waiting]
    if not waiting:
        return Turn()
    if overlap.mode is OverlapMode.REPLACE:
        return _replace(waiting, ordered)
    if any(fire.held for fire in waiting):
        return Turn(again=True)
    going, goes = len(ordered) - len(waiting), []
    for fire in waiting:
        if _may_go(overlap, fire, going):
            goes.append(fire.id)
            going += 1
    return Turn(tuple(goes))


def _may_go(overlap: Overlap, fire: LiveFire, going: int) -> bool:
    match overlap.mode:
        case OverlapMode.ALLOW if overlap.limit is None or not fire.scheduled:
            return True
        case OverlapMode.ALLOW:
            return going < (overlap.limit or 1)
        case OverlapMode.SKIP if not fire.scheduled:
            return True
        case _:
            return not going


def _replace(waiting: Sequence[LiveFire], fires: Sequence[LiveFire]) -> Turn:
    """Have the fire that came last replace all others: it goes when none of them is left."""
    newest = max(waiting, key=lambda fire: (fire.came_at, fire.id))
    if newest.held:
        return Turn(again=True)
    older = [fire for fire in fires if fire is not newest]
    cancelled = [fire.id for fire in older if not fire.running and not fire.held]
    stopped = [fire.id for fire in older if fire.running and not fire.stopping and not fire.held]
    left = any(fire.running or fire.held for fire in older)
    return Turn(
        () if left else (newest.id,),
        tuple(cancelled),
        tuple(stopped),
        again=any(fire.held for fire in older),
    )
