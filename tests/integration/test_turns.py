"""Fires that meet others of their task wait, replace and take turns, on both databases."""

import threading
from collections.abc import Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import Row, text

from stored import World, delivered
from taskcfg.spec.fires import ExecutionState, Outcome, Refused, Started
from taskcfg.spec.overlap import ONE_WAITS, REPLACED, WAITS, WAITS_TO_REPLACE
from taskcfg.spec.policy import Overlap, OverlapMode, Policy, Retry
from taskcfg.spec.task import TaskSpec
from taskcfg.store import turns
from taskcfg.store.database import applying, writing
from taskcfg.store.executions import ExecutionRecords
from taskcfg.store.hints import Hints
from taskcfg.store.interventions import attempts_to_interrupt, cancel_fires, retry_fires
from taskcfg.store.reaper import reap
from taskcfg.store.requests import request_run, runnable
from taskcfg.store.task_configs import live_tasks, retire_tasks, update_tasks
from taskcfg.store.turns import take_turns
from taskcfg.testing import make_spec

DONE = Outcome(ExecutionState.SUCCEEDED)
FAILED = Outcome(ExecutionState.FAILED, error="no")
INTERRUPTED = Outcome(ExecutionState.TIMED_OUT, error="stopped at its timeout")


def spec_of(mode: str, limit: int | None = None, **policy: Any) -> TaskSpec:
    return make_spec("task", policy=Policy(overlap=Overlap(OverlapMode(mode), limit), **policy))


def fired(world: World) -> Row[Any]:
    """Let the task fire once more; return the new event."""
    before = {event.id for event in world.events()}
    world.let_fire()
    (event,) = [event for event in world.events() if event.id not in before]
    return event


def run(world: World, request_id: str | None = None) -> Row[Any]:
    with writing(world.database) as connection:
        tasks = runnable(connection, ["task"])
        (fire,) = request_run(connection, tasks, actor="oncall", request_id=request_id or uuid4().hex)
    return world.event(fire.id)


def start(world: World, event_id: UUID) -> UUID:
    found = ExecutionRecords(world.database).start(delivered(world.event(event_id)))
    assert isinstance(found, Started)
    return found.execution_id


def finish(world: World, execution: UUID, outcome: Outcome = DONE) -> None:
    ExecutionRecords(world.database).finish(execution, outcome)


def retry(world: World, *ids: UUID) -> None:
    with writing(world.database) as connection:
        retry_fires(connection, ids, actor="oncall")


def edit(world: World, spec: TaskSpec) -> None:
    with applying(world.database, 5) as connection:
        ids = [row.id for row in live_tasks(connection, "main").values()]
        update_tasks(connection, {ids[0]: spec}, "main", None)


def states(world: World, *events: Row[Any]) -> list[str]:
    return [world.event(event.id).state for event in events]


def test_one_scheduled_fire_waits_and_the_next_is_skipped_with_the_reason(world: World) -> None:
    world.add(spec_of("wait"))

    first, second, third = fired(world), fired(world), fired(world)

    assert states(world, first, second, third) == ["pending", "waiting", "skipped"]
    assert (second.reason, second.done_at, second.node_id) == (WAITS, None, None)
    assert (third.reason, third.message) == (ONE_WAITS, None)
    assert third.done_at is not None


def test_what_waits_goes_out_when_the_earlier_one_has_ended_and_not_before(world: World) -> None:
    world.add(spec_of("wait"))
    first, second = fired(world), fired(world)
    execution = start(world, first.id)

    assert not take_turns(world.database)
    finish(world, execution)
    turned = take_turns(world.database)

    assert turned.going == 1
    assert world.event(second.id).reason is None
    (claimed,) = world.outbox.claim(10, held=())
    assert claimed.event_id == second.id
    finish(world, start(world, second.id))
    assert states(world, first, second) == ["done", "done"]


def test_a_fire_between_two_attempts_is_live_and_keeps_the_next_waiting(world: World) -> None:
    world.add(spec_of("wait", retry=Retry(attempts=2, delay=timedelta(hours=1))))
    first, second = fired(world), fired(world)
    finish(world, start(world, first.id), FAILED)

    assert not take_turns(world.database)
    assert states(world, first, second) == ["pending", "waiting"]


def test_what_is_asked_for_waits_in_order_and_is_never_skipped(world: World) -> None:
    world.add(spec_of("wait"))
    order = [fired(world), fired(world), run(world), run(world)]
    assert states(world, *order) == ["pending", "waiting", "waiting", "waiting"]
    assert order[-1].reason == WAITS

    for number, event in enumerate(order):
        assert states(world, *order[number:]) == ["pending", *["waiting"] * (3 - number)]
        finish(world, start(world, event.id))
        take_turns(world.database)

    assert states(world, *order) == ["done"] * 4


def test_no_more_than_the_limit_are_live_but_what_is_asked_for_goes(world: World) -> None:
    world.add(spec_of("allow", 2))

    first, second, third, asked = fired(world), fired(world), fired(world), run(world)

    assert states(world, first, second, third, asked) == ["pending", "pending", "skipped", "pending"]
    assert third.reason == "overlap: 2 fires are live, and no more are allowed"


def test_a_fire_replaces_at_once_what_nobody_has_started(world: World) -> None:
    world.add(spec_of("replace"))
    (first,) = world.let_fire()

    second = fired(world)
    world.publish([first])

    older = world.event(first.event_id)
    assert (older.state, older.reason) == ("cancelled", REPLACED)
    assert older.done_at is not None
    assert (second.state, second.reason) == ("pending", None)
    assert isinstance(ExecutionRecords(world.database).start(delivered(first)), Refused)
    assert world.executions() == []


def test_a_fire_that_replaces_a_running_one_waits_until_that_has_been_stopped(world: World) -> None:
    world.add(spec_of("replace"))
    first = fired(world)
    execution = start(world, first.id)

    second = fired(world)
    assert (second.state, second.reason) == ("waiting", WAITS_TO_REPLACE)
    (asked,) = attempts_to_interrupt(world.database)
    assert asked.celery_id == first.celery_id
    assert not take_turns(world.database)
    finish(world, execution, INTERRUPTED)
    take_turns(world.database)

    older, (attempt,) = world.event(first.id), world.executions()
    assert (older.state, older.reason) == ("cancelled", REPLACED)
    assert (attempt.state, attempt.error) == ("cancelled", REPLACED)
    assert states(world, second) == ["pending"]


def test_a_third_fire_replaces_the_second_that_still_waits(world: World) -> None:
    world.add(spec_of("replace"))
    first = fired(world)
    execution = start(world, first.id)
    second, third = fired(world), run(world)

    finish(world, execution, FAILED)
    take_turns(world.database)

    assert states(world, first, second, third) == ["cancelled", "cancelled", "pending"]
    assert world.event(second.id).reason == REPLACED


def test_a_body_that_ended_before_it_was_stopped_keeps_its_own_end(world: World) -> None:
    world.add(spec_of("replace"))
    first = fired(world)
    execution = start(world, first.id)
    second = fired(world)

    finish(world, execution, DONE)
    take_turns(world.database)

    assert states(world, first, second) == ["done", "pending"]


def test_a_fire_between_two_attempts_is_replaced_at_once(world: World) -> None:
    world.add(spec_of("replace", retry=Retry(attempts=2, delay=timedelta(hours=1))))
    first = fired(world)
    finish(world, start(world, first.id), FAILED)

    second = fired(world)

    assert states(world, first, second) == ["cancelled", "pending"]


def test_the_same_request_again_replaces_nothing(world: World) -> None:
    world.add(spec_of("replace"))

    first, again = run(world, "same"), run(world, "same")

    assert first.id == again.id
    assert states(world, first) == ["pending"]


def test_a_retried_fire_waits_for_its_turn(world: World) -> None:
    world.add(spec_of("wait"))
    first = fired(world)
    finish(world, start(world, first.id), FAILED)
    second = fired(world)

    retry(world, first.id)
    event = world.event(first.id)
    assert (event.state, event.reason) == ("waiting", f"{WAITS} (retried by oncall)")
    assert isinstance(ExecutionRecords(world.database).start(delivered(event)), Refused)
    finish(world, start(world, second.id))
    take_turns(world.database)

    assert states(world, first) == ["pending"]
    finish(world, start(world, first.id))
    assert states(world, first, second) == ["done", "done"]


def test_two_fires_retried_together_run_one_after_the_other(world: World) -> None:
    world.add(spec_of("wait"))
    fires = []
    for _ in range(2):
        fires.append(fired(world))
        finish(world, start(world, fires[-1].id), FAILED)

    retry(world, *(event.id for event in fires))

    assert sorted(states(world, *fires)) == ["pending", "waiting"]


def test_a_retried_fire_replaces_what_runs_now(world: World) -> None:
    world.add(spec_of("replace"))
    first = fired(world)
    finish(world, start(world, first.id), FAILED)
    second = fired(world)
    execution = start(world, second.id)

    retry(world, first.id)
    assert states(world, first, second) == ["waiting", "published"]
    finish(world, execution, INTERRUPTED)
    take_turns(world.database)

    assert states(world, first, second) == ["pending", "cancelled"]


@pytest.mark.parametrize(
    ("mode", "expected"), [("allow", "pending"), ("skip", "waiting"), ("replace", "pending")]
)
def test_the_turn_goes_by_the_policy_of_now(world: World, mode: str, expected: str) -> None:
    world.add(spec_of("wait"))
    first, second = fired(world), fired(world)

    edit(world, spec_of(mode))
    take_turns(world.database)

    assert states(world, first, second) == ["cancelled" if mode == "replace" else "pending", expected]


def test_a_waiting_fire_is_cancelled_by_its_id_and_the_next_has_its_turn(world: World) -> None:
    world.add(spec_of("wait"))
    first, second, third = fired(world), fired(world), run(world)

    with writing(world.database) as connection:
        cancel_fires(connection, [second.id], actor="oncall")
    finish(world, start(world, first.id))
    take_turns(world.database)

    assert states(world, second, third) == ["cancelled", "pending"]


def test_deleting_and_disabling_a_task_cancel_what_waits_and_a_pause_does_not(world: World) -> None:
    ids = world.add(spec_of("wait"))
    first, second, asked = fired(world), fired(world), run(world)

    edit(world, make_spec("task", policy=spec_of("wait").policy, enabled=False))
    assert states(world, first, second, asked) == ["cancelled", "cancelled", "waiting"]
    take_turns(world.database)
    another = run(world)
    assert states(world, asked, another) == ["pending", "waiting"]
    with writing(world.database) as connection:
        retire_tasks(connection, list(ids.values()))

    assert states(world, asked, another) == ["cancelled", "cancelled"]


def test_a_fire_that_waited_too_long_expires_and_the_next_has_its_turn(world: World) -> None:
    world.add(spec_of("wait", expires=timedelta(hours=1)))
    first, second, third = fired(world), fired(world), run(world)
    execution = start(world, first.id)
    with writing(world.database) as connection:
        late = text("UPDATE schedule_event SET expires_at = created_at WHERE id = :id")
        id_ = second.id if connection.dialect.name == "postgresql" else second.id.hex
        connection.execute(late, {"id": id_})

    assert reap(world.database).expired == 1
    finish(world, execution)
    take_turns(world.database)

    assert states(world, first, second, third) == ["done", "expired", "pending"]


def test_a_row_that_was_spoiled_by_hand_keeps_nobody_waiting(world: World) -> None:
    world.add(spec_of("wait"))
    first, second = fired(world), fired(world)
    world.change_task("task", policy={"overlap": "whatever"})

    finish(world, start(world, first.id))
    take_turns(world.database)

    assert states(world, second) == ["pending"]


def test_tasks_that_cannot_turn_yet_hold_up_no_others(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(turns, "BATCH", 2)
    policy = spec_of("wait").policy
    world.add(*(make_spec(f"task-{number}", policy=policy) for number in range(7)))
    world.let_fire()
    world.let_fire()
    last = max(world.events(), key=lambda event: (event.task_config_id, event.state == "pending"))
    finish(world, start(world, last.id))

    turned = take_turns(world.database)

    assert turned.going == 1


def test_the_end_of_a_fire_that_others_wait_for_is_heard_at_once(postgres_world: World) -> None:
    world = postgres_world
    world.add(spec_of("wait"))
    first = fired(world)
    execution = start(world, first.id)
    hints = Hints(world.database)
    assert hints.wait(0)  # the first look may have missed something

    finish(world, execution)
    heard = hints.wait(30)
    hints.close()

    assert heard


def at_once(steps: Sequence[Any]) -> None:
    """Call *steps* in threads that begin together; raise what one of them raised."""
    barrier, errors = threading.Barrier(len(steps)), []

    def call(step: Any) -> None:
        barrier.wait()
        try:
            step()
        except BaseException as error:  # noqa: BLE001 it is raised below
            errors.append(error)

    threads = [threading.Thread(target=call, args=(step,)) for step in steps]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]


def test_of_schedulers_that_take_turns_at_once_no_two_let_a_fire_go(world: World) -> None:
    world.add(spec_of("wait"))
    first = fired(world)
    waiting = [run(world) for _ in range(5)]
    finish(world, start(world, first.id))

    at_once([lambda: take_turns(world.database)] * 4)

    assert sorted(states(world, *waiting)) == ["pending", *["waiting"] * 4]


@pytest.mark.parametrize("mode", ["wait", "replace"])
def test_fires_asked_for_at_once_leave_one_that_goes(world: World, mode: str) -> None:
    world.add(spec_of(mode))

    at_once([lambda: run(world)] * 6)
    while take_turns(world.database):
        continue

    found = [event.state for event in world.events()]
    others = {"wait": "waiting", "replace": "cancelled"}[mode]
    assert sorted(found) == sorted(["pending", *[others] * 5])


@pytest.mark.parametrize("mode", ["wait", "replace"])
def test_an_end_and_a_new_fire_at_the_same_moment_leave_nobody_waiting_for_ever(
    world: World, mode: str
) -> None:
    world.add(spec_of(mode))
    event = fired(world)

    for _ in range(5):
        execution = start(world, event.id)
        asked: list[Row[Any]] = []
        at_once([lambda e=execution: finish(world, e), lambda a=asked: a.append(run(world))])
        take_turns(world.database)
        event = asked[0]

        assert states(world, event) == ["pending"]
