"""What an attempt's end means for its fire: done, or dispatched again."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import timedelta

from taskcfg.spec.fires import MOST_REDISPATCHES, EventState, ExecutionState
from taskcfg.spec.policy import Delivery, Policy

AFTER_LOSS = timedelta(seconds=2)
"""The wait before what a worker lost goes out again: one that is being cut off must not fetch it too."""


@dataclass(frozen=True, slots=True)
class Attempted:
    """What is known of a fire when an attempt at it ends.

    `failures` counts the attempts that used up the retry budget, this one among them; `losses`
    those whose worker died before. `seed` names the dispatch, for jitter that is the same
    whoever works it out. `gone` says why the task may not be tried again, if it may not.
    """

    policy: Policy
    failures: int
    losses: int
    seed: str
    cancel_requested: bool = False
    gone: str | None = None


@dataclass(frozen=True, slots=True)
class Ending:
    """The states to write. `again_after` is the wait before the next dispatch, if there is one."""

    execution: ExecutionState
    event: EventState
    again_after: timedelta | None = None
    reason: str | None = None


def ending_of(state: ExecutionState, fire: Attempted) -> Ending:
    """Decide what becomes of *fire* when an attempt at it ended as *state*.

    `retrying` is Celery's own retry: its message is on its way again, and the fire stays live.
    """
    match state:
        case ExecutionState.SUCCEEDED:
            return Ending(state, EventState.DONE)
        case ExecutionState.RETRYING if fire.cancel_requested:
            # The message that is on its way again will be refused.
            return Ending(ExecutionState.CANCELLED, EventState.CANCELLED, reason="cancelled while running")
        case ExecutionState.RETRYING:
            return Ending(state, EventState.PUBLISHED)
        case ExecutionState.FAILED | ExecutionState.TIMED_OUT:
            return _after_failure(state, fire)
        case ExecutionState.LOST:
            return _after_loss(fire)
        case ExecutionState.CANCELLED:
            return Ending(state, EventState.CANCELLED, reason="cancelled while running")
        case _:
            raise ValueError(f"`{state}` is no end")


def _after_failure(state: ExecutionState, fire: Attempted) -> Ending:
    retry = fire.policy.retry
    if fire.cancel_requested:
        # Somebody's wish to cancel interrupts a body in the same way as its timeout does.
        execution = ExecutionState.CANCELLED if state is ExecutionState.TIMED_OUT else state
        return Ending(execution, EventState.CANCELLED, reason="cancelled while running")
    if fire.failures >= retry.attempts:
        return Ending(state, EventState.DONE)
    if fire.gone is not None:
        return Ending(state, EventState.CANCELLED, reason=fire.gone)
    delay = retry.delay_after(fire.failures)
    if retry.jitter:
        delay *= 0.5 + _fraction(fire.seed) / 2
    return Ending(ExecutionState.RETRYING, EventState.PENDING, again_after=delay)


def _after_loss(fire: Attempted) -> Ending:
    lost = ExecutionState.LOST
    if fire.cancel_requested:
        return Ending(lost, EventState.CANCELLED, reason="cancelled while running")
    if fire.policy.delivery is Delivery.AT_MOST_ONCE:
        return Ending(lost, EventState.DONE)
    if fire.losses >= MOST_REDISPATCHES:
        return Ending(lost, EventState.DEAD, reason=f"dead: its worker was lost {fire.losses + 1} times")
    if fire.gone is not None:
        return Ending(lost, EventState.CANCELLED, reason=fire.gone)
    return Ending(lost, EventState.PENDING, again_after=AFTER_LOSS)


def _fraction(seed: str) -> float:
    """Return a number in [0, 1) that depends on *seed* alone."""
    return int.from_bytes(hashlib.sha256(seed.encode()).digest()[:7]) / 2**56
