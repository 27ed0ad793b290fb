"""What an attempt's end means for its fire."""

from datetime import timedelta
from typing import Any

import pytest

from taskcfg.spec.ending import AFTER_LOSS, Attempted, Ending, ending_of
from taskcfg.spec.fires import MOST_REDISPATCHES, EventState, ExecutionState
from taskcfg.spec.policy import Backoff, Delivery, Policy, Retry

S, E = ExecutionState, EventState
TWICE = Policy(retry=Retry(attempts=2))
AT_MOST_ONCE = Policy(delivery=Delivery.AT_MOST_ONCE)


def fire(policy: Policy = TWICE, *, failures: int = 1, losses: int = 0, **more: Any) -> Attempted:
    return Attempted(policy, failures, losses, more.pop("seed", "fire|1"), **more)


@pytest.mark.parametrize(
    ("state", "attempted", "execution", "event"),
    [
        (S.SUCCEEDED, fire(), S.SUCCEEDED, E.DONE),
        (S.SUCCEEDED, fire(cancel_requested=True), S.SUCCEEDED, E.DONE),
        (S.RETRYING, fire(), S.RETRYING, E.PUBLISHED),
        (S.RETRYING, fire(cancel_requested=True), S.CANCELLED, E.CANCELLED),
        (S.CANCELLED, fire(), S.CANCELLED, E.CANCELLED),
        (S.FAILED, fire(failures=1), S.RETRYING, E.PENDING),
        (S.FAILED, fire(failures=2), S.FAILED, E.DONE),
        (S.FAILED, fire(failures=1, cancel_requested=True), S.FAILED, E.CANCELLED),
        (S.FAILED, fire(failures=1, gone="deleted"), S.FAILED, E.CANCELLED),
        (S.FAILED, fire(failures=2, gone="deleted"), S.FAILED, E.DONE),
        (S.TIMED_OUT, fire(failures=1), S.RETRYING, E.PENDING),
        (S.TIMED_OUT, fire(failures=2), S.TIMED_OUT, E.DONE),
        (S.TIMED_OUT, fire(cancel_requested=True), S.CANCELLED, E.CANCELLED),
        (S.LOST, fire(), S.LOST, E.PENDING),
        (S.LOST, fire(losses=MOST_REDISPATCHES - 1), S.LOST, E.PENDING),
        (S.LOST, fire(losses=MOST_REDISPATCHES), S.LOST, E.DEAD),
        (S.LOST, fire(AT_MOST_ONCE), S.LOST, E.DONE),
        (S.LOST, fire(cancel_requested=True), S.LOST, E.CANCELLED),
        (S.LOST, fire(gone="deleted"), S.LOST, E.CANCELLED),
    ],
)
def test_each_end_has_its_states(
    state: ExecutionState, attempted: Attempted, execution: ExecutionState, event: EventState
) -> None:
    ending = ending_of(state, attempted)

    assert (ending.execution, ending.event) == (execution, event)
    assert (ending.again_after is not None) == (event is E.PENDING)


def test_an_attempt_that_still_runs_has_no_end() -> None:
    with pytest.raises(ValueError, match="is no end"):
        ending_of(S.RUNNING, fire())


def test_the_wait_before_a_retry_is_the_policys() -> None:
    policy = Policy(retry=Retry(9, timedelta(seconds=30), Backoff.EXPONENTIAL, timedelta(minutes=2)))

    waits = [ending_of(S.FAILED, fire(policy, failures=number)).again_after for number in (1, 2, 3, 4)]

    assert waits == [timedelta(seconds=30), timedelta(minutes=1), timedelta(minutes=2), timedelta(minutes=2)]


def test_a_lost_attempt_goes_out_again_soon_and_uses_up_no_retry() -> None:
    assert ending_of(S.LOST, fire(Policy(retry=Retry(attempts=1)), failures=0)) == Ending(
        S.LOST, E.PENDING, again_after=AFTER_LOSS
    )


def test_jitter_shortens_the_wait_by_up_to_half_and_is_the_same_for_everybody() -> None:
    policy = Policy(retry=Retry(attempts=9, delay=timedelta(seconds=100), jitter=True))

    waits = [
        ending_of(S.FAILED, fire(policy, seed=f"{seed}|1")).again_after or timedelta() for seed in range(50)
    ]
    again = ending_of(S.FAILED, fire(policy, seed="0|1")).again_after

    assert all(timedelta(seconds=50) <= wait < timedelta(seconds=100) for wait in waits)
    assert len(set(waits)) == 50
    assert again == waits[0]
