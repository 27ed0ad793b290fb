"""Edits of tasks that are about to fire: nothing lost, nothing doubled, nothing moved that was not edited."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from stored import World
from taskcfg.reconcile.guard import Limits
from taskcfg.spec.fire_time import fire_time
from taskcfg.spec.policy import CatchUp, Overlap, OverlapMode, Policy
from taskcfg.spec.schedule import At, Cron, Every
from taskcfg.spec.task import TaskSpec
from taskcfg.sync import Approval, Desired, apply_desired
from taskcfg.testing import make_spec

SECOND, MINUTE, HOUR = timedelta(seconds=1), timedelta(minutes=1), timedelta(hours=1)
ALLOW = Overlap(OverlapMode.ALLOW)
SPREAD = Policy(overlap=ALLOW, jitter=HOUR)


def apply(world: World, *specs: TaskSpec) -> None:
    wanted = Desired({spec.name: spec for spec in specs}, 1, "digest", "tasks.d")
    apply_desired(world.database, wanted, "main", Approval("tester", Limits(max_delete=9, allow_empty=True)))


def times(world: World, name: str) -> tuple[datetime | None, ...]:
    row = world.task(name)
    return row.next_nominal_at, row.next_fire_at, row.last_nominal_at


def let_wait(world: World, spec: TaskSpec, *, since: timedelta = SECOND) -> tuple[datetime, TaskSpec]:
    """Declare *spec* so that its nominal time has passed *since* ago, while its jitter still runs."""
    nominal = (datetime.now(UTC) - since).replace(microsecond=0)
    waiting = replace(spec, schedule=Every(3 * HOUR, nominal))
    name = next(f"t{n}" for n in range(99) if fire_time(f"t{n}", HOUR, nominal) > nominal + 20 * MINUTE)
    apply(world, waiting := replace(waiting, name=name))
    fire = fire_time(name, HOUR, nominal)
    world.change_task(name, next_nominal_at=nominal, next_fire_at=fire)
    return nominal, waiting


@pytest.mark.parametrize(
    "edit",
    [
        {"description": "other words"},
        {"params": {"text": "other"}},
        {"priority": 9},
        {"policy": replace(SPREAD, catch_up=CatchUp.ALL, expires=HOUR)},
    ],
    ids=["words", "params", "priority", "policy"],
)
def test_an_edit_of_another_field_moves_nothing_also_while_jitter_holds_a_fire_back(
    world: World, edit: dict[str, Any]
) -> None:
    _, spec = let_wait(world, make_spec(policy=SPREAD))
    before = times(world, spec.name)

    apply(world, replace(spec, **edit))

    assert times(world, spec.name) == before
    assert world.events() == []


def test_an_edit_of_another_field_at_the_moment_of_a_fire_records_it_and_moves_nothing_else(
    world: World,
) -> None:
    spec = make_spec("a", schedule=Every(HOUR))
    apply(world, spec)
    due = world.let_come_due("a")
    moved = replace(spec, schedule=Every(HOUR, due))

    apply(world, replace(moved, description="other words"))

    assert [(row.nominal_at, row.state) for row in world.events()] == [(due, "pending")]
    assert times(world, "a") == (due + HOUR, due + HOUR, due)
    assert world.make_pass() == []


def test_a_fire_that_jitter_holds_back_outlives_the_edit_of_its_schedule_and_goes_out_in_time(
    world: World,
) -> None:
    nominal, spec = let_wait(world, make_spec(policy=replace(SPREAD, expires=MINUTE)))
    fire_at = fire_time(spec.name, HOUR, nominal)

    apply(world, replace(spec, schedule=Cron("0 3 1 1 *")))

    event = world.event()
    assert (event.nominal_at, event.fire_at, event.state) == (nominal, fire_at, "pending")
    assert event.expires_at == fire_at + MINUTE
    assert world.make_pass() == []


def test_no_relay_sends_a_fire_before_its_time_and_any_does_then(world: World) -> None:
    _, spec = let_wait(world, make_spec(policy=SPREAD))
    apply(world, replace(spec, schedule=Cron("0 3 1 1 *")))
    event = world.event()
    other = World(world.database)

    early = [*world.outbox.claim(10, held=()), *other.outbox.claim(10, held=())]
    world.kill_node(world.node)
    world.change_events(fire_at=datetime.now(UTC) - SECOND)
    (taken,) = other.outbox.claim(10, held=())

    assert early == []
    assert taken.event_id == event.id


def test_a_held_back_fire_of_a_task_that_is_disabled_or_deleted_is_cancelled(world: World) -> None:
    _, spec = let_wait(world, make_spec(policy=SPREAD))

    apply(world, replace(spec, enabled=False))
    disabled = world.event()
    apply(world)

    assert (disabled.state, disabled.reason) == ("cancelled", "cancelled: the task was disabled")
    assert times(world, spec.name)[:2] == (None, None)


def test_a_longer_jitter_counts_from_the_next_nominal_time(world: World) -> None:
    nominal, spec = let_wait(world, make_spec(policy=SPREAD))

    apply(world, replace(spec, policy=replace(SPREAD, jitter=2 * HOUR)))

    assert world.event().fire_at == fire_time(spec.name, HOUR, nominal)
    following = nominal + 3 * HOUR
    assert times(world, spec.name)[:2] == (following, fire_time(spec.name, 2 * HOUR, following))


def test_a_schedule_edited_forth_and_back_fires_each_instant_once(world: World) -> None:
    now = datetime.now(UTC).replace(microsecond=0)
    first, second = Every(2 * HOUR, now - SECOND), Every(3 * HOUR, now - 2 * SECOND)
    apply(world, make_spec("a", schedule=first, policy=Policy(overlap=ALLOW)))
    world.change_task("a", next_nominal_at=now - SECOND, next_fire_at=now - SECOND)

    for schedule in (second, first, second, first):
        apply(world, make_spec("a", schedule=schedule, policy=Policy(overlap=ALLOW)))

    assert [row.nominal_at for row in world.events()] == [now - SECOND]
    assert times(world, "a")[:2] == (now - SECOND + 2 * HOUR,) * 2
    assert world.make_pass() == []


def test_a_schedule_moved_earlier_on_the_same_day_fires_at_what_is_still_to_come(world: World) -> None:
    now = datetime.now(UTC)
    over, soon, later = now - MINUTE, now + MINUTE, now + HOUR
    apply(world, make_spec("a", schedule=At((later,))))

    apply(world, make_spec("a", schedule=At((over, soon))))
    earlier = times(world, "a")[0]
    apply(world, make_spec("a", schedule=At((over,))))

    assert (earlier, times(world, "a")[0], world.events()) == (soon, None, [])


def test_a_task_in_error_that_is_mended_tells_of_what_it_missed(world: World) -> None:
    spec = make_spec("a", schedule=Every(HOUR, datetime.now(UTC) - 90 * MINUTE))
    apply(world, spec)
    start = times(world, "a")[0] - 2 * HOUR
    world.change_task(
        "a",
        next_nominal_at=start,
        next_fire_at=None,
        error_reason="the fire cannot be recorded",
        error_retry_at=datetime.now(UTC) + HOUR,
    )

    apply(world, replace(spec, description="mended"))
    world.make_pass()

    told = [(row.nominal_at, row.state) for row in world.events()]
    assert told == [(start, "missed"), (start + HOUR, "pending")]
