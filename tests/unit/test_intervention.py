"""What an operator may do to a fire, by how it stands."""

import pytest

from taskcfg.spec.fires import LIVE_STATES, EventState, ExecutionState
from taskcfg.spec.intervention import Cancellation, NotPossible, Standing, cancellation, check_retry

E, X = EventState, ExecutionState


def fire(event: EventState, execution: ExecutionState | None = None, *, retired: bool = False) -> Standing:
    return Standing("nightly", event, execution, retired, has_message=event not in (E.MISSED, E.SKIPPED))


@pytest.mark.parametrize("event", sorted(LIVE_STATES))
def test_what_does_not_run_is_cancelled_at_once(event: str) -> None:
    assert cancellation(fire(E(event))) is Cancellation.NOW


def test_what_runs_is_asked_to_stop_and_what_waits_between_attempts_is_not_running() -> None:
    assert cancellation(fire(E.PUBLISHED, X.RUNNING)) is Cancellation.ASKING
    assert cancellation(fire(E.PUBLISHED, X.RETRYING)) is Cancellation.NOW
    assert cancellation(fire(E.PENDING, X.LOST)) is Cancellation.NOW


@pytest.mark.parametrize("event", [event for event in E if event not in LIVE_STATES])
def test_what_has_ended_cannot_be_cancelled(event: EventState) -> None:
    with pytest.raises(NotPossible, match=f"ended already: {event}"):
        cancellation(fire(event))


@pytest.mark.parametrize(
    ("event", "execution"),
    [
        (E.DONE, X.FAILED),
        (E.DONE, X.TIMED_OUT),
        (E.DONE, X.LOST),
        (E.DEAD, None),
        (E.DEAD, X.LOST),
        (E.EXPIRED, None),
        (E.CANCELLED, None),
        (E.CANCELLED, X.CANCELLED),
    ],
)
def test_without_success_it_may_run_again(event: EventState, execution: ExecutionState | None) -> None:
    check_retry(fire(event, execution))


@pytest.mark.parametrize(
    ("standing", "reason", "hint"),
    [
        (fire(E.DONE, X.SUCCEEDED), "it succeeded", "`taskcfg run nightly` makes a new fire"),
        (fire(E.DONE), "nothing is known of how it went", "`taskcfg run nightly` makes a new fire"),
        (fire(E.MISSED), "it was missed, and", "`taskcfg run nightly` makes a new fire"),
        (fire(E.SKIPPED), "it was skipped, and", "`taskcfg run nightly` makes a new fire"),
        (fire(E.PENDING), "it is still live: pending", "wait for its end, or `taskcfg cancel` it"),
        (
            fire(E.PUBLISHED, X.RUNNING),
            "it is still live: running",
            "wait for its end, or `taskcfg cancel` it",
        ),
        (fire(E.DONE, X.FAILED, retired=True), "its task was deleted", "declare the task again to run it"),
    ],
)
def test_what_may_not_says_why_and_what_to_do(standing: Standing, reason: str, hint: str) -> None:
    with pytest.raises(NotPossible, match=reason) as raised:
        check_retry(standing)

    assert raised.value.hint == hint
