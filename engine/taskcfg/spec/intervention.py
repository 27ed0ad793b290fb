"""What an operator may do to one fire: cancel it, or have it run again."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum, auto

from taskcfg.spec.fires import LIVE_STATES, EventState, ExecutionState


class Cancellation(StrEnum):
    """How a live fire is cancelled: `NOW`, or by `ASKING` the worker that runs it to stop."""

    NOW = auto()
    ASKING = auto()


class NotPossible(Exception):
    """The fire is not in a state for this; the text says in which it is, `hint` what to do."""

    def __init__(self, reason: str, hint: str | None = None) -> None:
        self.hint = hint
        super().__init__(reason)


@dataclass(frozen=True, slots=True)
class Standing:
    """How a fire stands. `execution` is the state of its newest attempt, None before there is one;
    `retired` says that its task was deleted, `has_message` that there is something to publish."""

    task: str
    event: EventState
    execution: ExecutionState | None
    retired: bool = False
    has_message: bool = True


def cancellation(fire: Standing) -> Cancellation:
    """Return how *fire* is cancelled. Raises NotPossible when it has ended."""
    if fire.event not in LIVE_STATES:
        raise NotPossible(f"it has ended already: {outcome(fire)}")
    return Cancellation.ASKING if fire.execution is ExecutionState.RUNNING else Cancellation.NOW


def check_retry(fire: Standing) -> None:
    """Raise NotPossible unless *fire* ended, otherwise than by succeeding, and may run again."""
    run = f"`taskcfg run {fire.task}` makes a new fire"
    if fire.event in LIVE_STATES:
        raise NotPossible(f"it is still live: {outcome(fire)}", "wait for its end, or `taskcfg cancel` it")
    if fire.retired:
        raise NotPossible("its task was deleted", "declare the task again to run it")
    if not fire.has_message:
        raise NotPossible(f"it was {fire.event}, and there is nothing to publish", run)
    if fire.event is EventState.DONE and fire.execution in (None, ExecutionState.SUCCEEDED):
        known = "nothing is known of how it went" if fire.execution is None else "it succeeded"
        raise NotPossible(known, run)


def outcome(fire: Standing) -> str:
    """Return the state to tell: the fire's own, or once it is `done`, that of its newest attempt."""
    if fire.event is EventState.DONE and fire.execution is not None:
        return fire.execution.value
    if fire.execution is ExecutionState.RUNNING:
        return fire.execution.value
    return fire.event.value
