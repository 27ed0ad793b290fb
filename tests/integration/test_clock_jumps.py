"""A database clock that is set to another time: nothing fires by it before it agrees with itself again."""

import re
from datetime import timedelta

import pytest

from database_clock import clock_of
from stored import World
from taskcfg.daemon.timekeeping import ClockWatch
from taskcfg.scheduling.loop import Firing
from taskcfg.spec.clock_guard import APART
from taskcfg.store.firing import EventFiring
from taskcfg.store.outbox import EventOutbox
from taskcfg.testing import FakeClock, make_spec

HOUR = timedelta(hours=1)
UNTIL_TRUSTED = timedelta(seconds=APART + 0.5)


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def watch(clock: FakeClock) -> ClockWatch:
    return ClockWatch(clock)


def pass_finds(firing: EventFiring) -> int:
    """Make a pass that is given up; return how many tasks it found due."""
    found = firing.begin_pass(500)
    found.abandon()
    return len(found.due)


@pytest.mark.parametrize("moved", [HOUR, -HOUR], ids=["forward", "back"])
def test_nothing_is_due_until_two_readings_five_seconds_apart_agree(
    world: World,
    clock: FakeClock,
    watch: ClockWatch,
    moved: timedelta,
    caplog: pytest.LogCaptureFixture,
) -> None:
    world.add(make_spec("a"))
    world.let_come_due("a", late=2 * HOUR)
    firing = EventFiring(world.database, world.node, watch)
    database_clock = clock_of(world.database)
    assert pass_finds(firing) == 1

    database_clock.set(moved)
    assert pass_finds(firing) == 0
    assert firing.seconds_until_due() is None, "it would look again at once"
    assert watch.doubts
    assert watch.steady_for() == 0.0

    clock.advance(UNTIL_TRUSTED)
    database_clock.set(moved + UNTIL_TRUSTED)
    assert pass_finds(firing) == 1
    said = [record.getMessage().split(" ", 1)[0] for record in caplog.records]
    assert said == ["clock.jumped", "clock.agrees"]
    (by,) = re.findall(r"by=([-+][0-9.]+)s", caplog.text)
    assert abs(float(by) - moved.total_seconds()) < 5


def test_a_pass_in_doubt_fires_nothing(world: World, clock: FakeClock, watch: ClockWatch) -> None:
    world.add(make_spec("a"))
    world.let_come_due("a")
    database_clock = clock_of(world.database)
    firing = Firing(EventFiring(world.database, world.node, watch), clock, lambda fires: None)
    pass_finds(EventFiring(world.database, world.node, watch))
    database_clock.set(HOUR)

    firing.run_once()
    assert world.events() == []

    clock.advance(UNTIL_TRUSTED)
    database_clock.set(HOUR + UNTIL_TRUSTED)
    firing.run_once()
    assert len(world.events()) > 0


def test_fires_of_nodes_that_only_look_dead_are_not_claimed(
    world: World, clock: FakeClock, watch: ClockWatch
) -> None:
    world.add(make_spec("a"))
    (fire,) = world.let_fire("a")
    other = EventOutbox(world.database, world.new_node(), watch)
    database_clock = clock_of(world.database)
    pass_finds(EventFiring(world.database, world.node, watch))
    assert other.claim(10, held=()) == []

    database_clock.set(HOUR)

    assert other.claim(10, held=()) == []
    assert world.event().epoch == fire.epoch


def test_fires_of_a_node_that_died_before_the_clock_was_set_back_are_claimed_soon(
    world: World, clock: FakeClock, watch: ClockWatch
) -> None:
    world.add(make_spec("a"))
    (fire,) = world.let_fire("a", late=2 * HOUR)
    other = EventOutbox(world.database, world.new_node(), watch)
    database_clock = clock_of(world.database)
    pass_finds(EventFiring(world.database, world.node, watch))
    assert other.claim(10, held=()) == []

    database_clock.set(-HOUR)
    assert other.claim(10, held=()) == []
    clock.advance(UNTIL_TRUSTED)
    database_clock.set(-HOUR + UNTIL_TRUSTED)

    assert [claimed.event_id for claimed in other.claim(10, held=())] == [fire.event_id]
