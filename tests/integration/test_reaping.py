"""Who reaps, and when nobody is taken for dead yet."""

from datetime import timedelta

from stored import World, delivered
from taskcfg.daemon.reaping import GRACE, LAPSE, Reaping
from taskcfg.spec.fires import Refused
from taskcfg.store.executions import ExecutionRecords
from taskcfg.testing import FakeClock, make_spec

ROUND = timedelta(seconds=1)


def with_a_dead_workers_attempt(world: World) -> None:
    world.add(make_spec("a"))
    (fire,) = world.let_fire("a")
    world.publish([fire])
    boot = world.new_node("worker")
    started = ExecutionRecords(world.database).start(delivered(fire, boot=boot))
    assert not isinstance(started, Refused)
    world.kill_node(boot)


def states(world: World) -> list[str]:
    return [row.state for row in world.executions()]


def rounds(reaping: Reaping, clock: FakeClock, seconds: float) -> None:
    for _ in range(int(seconds)):
        clock.advance(ROUND)
        reaping.run_once()


def test_a_dead_workers_attempt_is_lost_once_it_is_sure_that_others_could_renew(world: World) -> None:
    with_a_dead_workers_attempt(world)
    clock = FakeClock()
    reaping = Reaping(world.database, world.node, timedelta(minutes=15), clock)

    reaping.run_once()
    rounds(reaping, clock, GRACE - 1)
    assert states(world) == ["running"]

    rounds(reaping, clock, 2)
    assert states(world) == ["lost"]


def test_after_a_lapse_it_is_patient_again(world: World) -> None:
    clock = FakeClock()
    reaping = Reaping(world.database, world.node, timedelta(minutes=15), clock)
    rounds(reaping, clock, GRACE + 2)
    with_a_dead_workers_attempt(world)

    clock.advance(timedelta(seconds=LAPSE + 1))
    reaping.run_once()
    assert states(world) == ["running"]

    rounds(reaping, clock, GRACE + 1)
    assert states(world) == ["lost"]


def test_only_one_node_reaps(world: World) -> None:
    with_a_dead_workers_attempt(world)
    clock = FakeClock()
    first = Reaping(world.database, world.node, timedelta(minutes=15), clock)
    second = Reaping(world.database, world.new_node(), timedelta(minutes=15), clock)
    first.run_once()

    rounds(second, clock, GRACE + 2)

    assert states(world) == ["running"]
