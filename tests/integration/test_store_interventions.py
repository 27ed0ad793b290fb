"""Operators' hands on single fires, on both databases."""

import threading
from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from stored import World, delivered
from taskcfg.errors import FireNotReady
from taskcfg.spec.fires import ExecutionState, Outcome, Outgoing, Refused, Started
from taskcfg.spec.policy import Overlap, OverlapMode, Policy, Retry
from taskcfg.store.database import writing
from taskcfg.store.executions import ExecutionRecords
from taskcfg.store.interventions import attempts_to_interrupt, cancel_fires, ids_like, retry_fires
from taskcfg.store.purging import Old, Purged, count_old, purge_old
from taskcfg.testing import make_spec

ALLOW = Overlap(OverlapMode.ALLOW)
TWICE = Policy(retry=Retry(attempts=2), overlap=ALLOW)
DONE = Outcome(ExecutionState.SUCCEEDED)
FAILED = Outcome(ExecutionState.FAILED, error="no")
INTERRUPTED = Outcome(ExecutionState.TIMED_OUT, error="stopped at its timeout", traceback="Traceback …")


def published(world: World, policy: Policy = TWICE) -> Outgoing:
    world.add(make_spec(policy=policy))
    (fire,) = world.let_fire()
    world.publish([fire])
    return fire


def started(world: World, fire: Outgoing) -> UUID:
    found = ExecutionRecords(world.database).start(delivered(fire))
    assert isinstance(found, Started)
    return found.execution_id


def finish(world: World, execution: UUID, outcome: Outcome) -> None:
    ExecutionRecords(world.database).finish(execution, outcome)


def cancel(world: World, *ids: UUID) -> None:
    with writing(world.database) as connection:
        cancel_fires(connection, ids, actor="oncall")


def retry(world: World, *ids: UUID) -> None:
    with writing(world.database) as connection:
        retry_fires(connection, ids, actor="oncall")


def test_a_fire_is_found_by_the_start_of_its_id(world: World) -> None:
    fire = published(world)

    with writing(world.database) as connection:
        assert ids_like(connection, fire.event_id.hex[:20]) == [fire.event_id]
        assert ids_like(connection, fire.event_id.hex) == [fire.event_id]
        assert ids_like(connection, "ffffff") == []


def test_what_is_on_its_way_is_cancelled_at_once_and_refused_on_the_worker(world: World) -> None:
    fire = published(world)

    cancel(world, fire.event_id)

    event = world.event()
    assert (event.state, event.reason) == ("cancelled", "cancelled by oncall")
    assert event.done_at is not None
    assert isinstance(ExecutionRecords(world.database).start(delivered(fire)), Refused)
    assert world.executions() == []


def test_what_a_relay_has_in_its_hands_stays_cancelled_when_it_comes_through(world: World) -> None:
    world.add(make_spec())
    (fire,) = world.let_fire()

    cancel(world, fire.event_id)
    world.publish([fire])

    assert world.event().state == "cancelled"


def test_what_runs_is_marked_and_ends_as_cancelled_without_a_retry(world: World) -> None:
    fire = published(world)
    execution = started(world, fire)

    cancel(world, fire.event_id)
    (found,) = attempts_to_interrupt(world.database)
    assert (found.celery_id, found.worker) == (fire.celery_id, "w1@host")
    finish(world, execution, INTERRUPTED)

    (row,), event = world.executions(), world.event()
    assert (row.state, row.error) == ("cancelled", "cancelled by oncall")
    assert (event.state, event.reason) == ("cancelled", "cancelled by oncall")
    assert attempts_to_interrupt(world.database) == []


def test_a_body_that_was_faster_than_its_cancellation_keeps_its_own_end(world: World) -> None:
    fire = published(world)
    execution = started(world, fire)

    cancel(world, fire.event_id)
    finish(world, execution, DONE)

    (row,), event = world.executions(), world.event()
    assert (row.state, event.state, event.reason) == ("succeeded", "done", None)


def test_one_that_has_ended_keeps_all_of_them_from_being_cancelled(world: World) -> None:
    fire = published(world)
    finish(world, started(world, fire), DONE)
    (other,) = world.let_fire()

    with pytest.raises(FireNotReady, match="ended already: succeeded"):
        cancel(world, other.event_id, fire.event_id)

    assert world.event(other.event_id).state == "pending"


def test_a_retry_is_the_same_fire_under_its_next_dispatch_with_a_fresh_budget(world: World) -> None:
    fire = published(world, Policy(expires=timedelta(hours=1), overlap=ALLOW))
    finish(world, started(world, fire), FAILED)
    assert world.event().state == "done"

    retry(world, fire.event_id)
    event = world.event()
    assert (event.state, event.dispatch_no, event.reason) == ("pending", 2, "retried by oncall")
    assert (event.expires_at, event.done_at, event.node_id) == (None, None, None)
    (again,) = world.outbox.claim(10, held=())
    world.publish([again])
    finish(world, started(world, again), DONE)

    assert [row.state for row in world.executions()] == ["failed", "succeeded"]
    assert again.celery_id != fire.celery_id
    assert world.event().state == "done"


def test_after_a_retry_all_attempts_are_there_again(world: World) -> None:
    fire = published(world)
    execution = started(world, fire)
    cancel(world, fire.event_id)
    finish(world, execution, INTERRUPTED)

    retry(world, fire.event_id)
    (again,) = world.outbox.claim(10, held=())
    world.publish([again])
    finish(world, started(world, again), FAILED)

    assert world.executions()[-1].state == "retrying"
    assert world.event().state == "pending"


@pytest.mark.parametrize("step", [cancel, retry])
def test_of_two_at_once_one_is_told_that_it_came_too_late(
    world: World, step: Callable[[World, UUID], None]
) -> None:
    fire = published(world)
    if step is retry:
        cancel(world, fire.event_id)
    refused: list[Any] = []

    def attempt() -> None:
        try:
            step(world, fire.event_id)
        except FireNotReady as error:
            refused.append(error)

    threads = [threading.Thread(target=attempt) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(refused) == 3
    assert world.event().dispatch_no == (2 if step is retry else 1)


def start_into(world: World, fire: Outgoing, answers: list[Any]) -> None:
    answers.append(ExecutionRecords(world.database).start(delivered(fire)))


def test_cancelling_and_starting_at_once_end_in_one_of_two_ways(world: World) -> None:
    for _ in range(10):
        (fire,) = world.let_fire() if world.tasks() else [published(world)]
        world.publish([fire])
        answers: list[Any] = []
        starting = threading.Thread(target=start_into, args=(world, fire, answers))
        starting.start()
        cancel(world, fire.event_id)
        starting.join()

        event = world.event(fire.event_id)
        if isinstance(answers[0], Started):
            assert event.cancel_requested_at is not None
            finish(world, answers[0].execution_id, INTERRUPTED)
        assert world.event(fire.event_id).state == "cancelled"


class TestPurging:
    """Old history goes, a batch at a time; what is live stays."""

    def history(self, world: World) -> None:
        """Two tasks with three fires each that ended, and one of them with one that is live."""
        world.add(make_spec("a", policy=TWICE), make_spec("b", policy=TWICE))
        for _ in range(3):
            fires = world.let_fire()
            world.publish(fires)
            for fire in fires:
                finish(world, started(world, fire), DONE)
        world.let_fire("a")

    def purge(self, world: World, old: Old, batch: int = 2) -> list[Purged]:
        expected = count_old(world.database, old)
        steps = list(purge_old(world.database, old, batch))
        assert sum(steps, Purged()) == expected
        return steps

    def left(self, world: World) -> dict[str, int]:
        names = {row.id: name for name, row in world.tasks().items()}
        counts = dict.fromkeys(names.values(), 0)
        for event in world.events():
            counts[names[event.task_config_id]] += 1
        return counts

    def test_by_age_all_that_ended_goes_and_nothing_younger(self, world: World) -> None:
        self.history(world)

        assert self.purge(world, Old(age=timedelta(hours=1))) == []
        assert self.purge(world, Old(age=timedelta(0))) == [Purged(2, 2)] * 3
        assert self.left(world) == {"a": 1, "b": 0}
        assert world.executions() == []

    def test_by_count_the_newest_of_each_task_stay(self, world: World) -> None:
        self.history(world)

        self.purge(world, Old(keep=2))

        assert self.left(world) == {"a": 2, "b": 2}
        assert max(event.nominal_at for event in world.events()) == world.events()[-1].nominal_at
        assert world.events()[-1].state == "pending"

    def test_by_both_what_is_among_the_newest_stays_however_old(self, world: World) -> None:
        self.history(world)

        self.purge(world, Old(age=timedelta(0), keep=3))

        assert self.left(world) == {"a": 3, "b": 3}

    def test_only_of_some_tasks_and_in_some_states(self, world: World) -> None:
        self.history(world)
        only_a = [world.task("a").id]

        assert self.purge(world, Old(age=timedelta(0), states=["dead"])) == []
        assert self.purge(world, Old(age=timedelta(0), task_ids=only_a), batch=100) == [Purged(3, 3)]
        assert self.left(world) == {"a": 1, "b": 3}
