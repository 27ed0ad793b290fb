"""A pause while jitter holds a fire back: it is told of once, by what becomes of the pause."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from stored import World
from taskcfg.spec.fire_time import fire_time
from taskcfg.spec.pause import Pause
from taskcfg.spec.policy import CatchUp, Policy
from taskcfg.spec.schedule import Cron, Every
from taskcfg.spec.task import TaskSpec
from taskcfg.store import pauses
from taskcfg.store.database import database_time, writing
from taskcfg.sync import Approval, Desired, apply_desired
from taskcfg.testing import make_spec

MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)


def held_back(world: World, wanted: Callable[[datetime], bool]) -> tuple[TaskSpec, datetime, datetime]:
    """Let a task have a nominal time half an hour ago whose fire time is as *wanted*."""
    nominal = (datetime.now(UTC) - HOUR / 2).replace(microsecond=0)
    name = next(f"t{n}" for n in range(999) if wanted(fire_time(f"t{n}", HOUR, nominal)))
    spec = make_spec(name, schedule=Every(3 * HOUR, nominal), policy=Policy(jitter=HOUR))
    apply(world, spec)
    fire_at = fire_time(name, HOUR, nominal)
    world.change_task(name, next_nominal_at=nominal, next_fire_at=max(fire_at, datetime.now(UTC) + MINUTE))
    return spec, nominal, fire_at


def apply(world: World, spec: TaskSpec) -> None:
    apply_desired(world.database, Desired({spec.name: spec}, 1, "digest", "tasks.d"), "main", Approval("ann"))


def pause(world: World, missed: CatchUp) -> None:
    with writing(world.database) as connection:
        ids = [row.id for row in world.tasks().values()]
        pauses.pause_tasks(connection, ids, Pause("ann", "why", database_time(connection), missed=missed))


def resume(world: World) -> list[pauses.Resumed]:
    with writing(world.database) as connection:
        return pauses.resume_tasks(connection, [row.id for row in world.tasks().values()])


def later(fire_at: datetime) -> bool:
    return fire_at > datetime.now(UTC) + 5 * MINUTE


def over(fire_at: datetime) -> bool:
    return fire_at < datetime.now(UTC) - MINUTE


def test_one_that_is_still_to_come_when_the_pause_ends_comes_at_its_time(world: World) -> None:
    spec, nominal, fire_at = held_back(world, later)

    pause(world, CatchUp.NONE)
    (resumed,) = resume(world)

    row = world.task(spec.name)
    assert resumed == pauses.Resumed(spec.name)
    assert (row.next_nominal_at, row.next_fire_at) == (nominal, fire_at)
    assert world.events() == []


def test_one_whose_time_came_during_the_pause_is_missed_or_made_up_as_was_said(world: World) -> None:
    spec, nominal, fire_at = held_back(world, over)

    pause(world, CatchUp.LATEST)
    (resumed,) = resume(world)

    assert resumed.fires == 1
    event = world.event()
    assert (event.nominal_at, event.fire_at, event.state) == (nominal, fire_at, "pending")
    following = nominal + 3 * HOUR
    row = world.task(spec.name)
    assert (row.next_nominal_at, row.next_fire_at) == (following, fire_time(spec.name, HOUR, following))


def test_one_that_a_paused_tasks_old_schedule_gave_is_told_of_when_the_schedule_changes(world: World) -> None:
    spec, nominal, _ = held_back(world, later)
    pause(world, CatchUp.NONE)

    apply(world, replace(spec, schedule=Cron("0 3 1 1 *")))

    event = world.event()
    assert (event.nominal_at, event.state, event.reason, event.span_count) == (nominal, "missed", "paused", 1)
