"""Who reaps, and when nobody is taken for dead yet."""

from datetime import timedelta
from uuid import UUID, uuid4

import pytest
from sqlalchemy import update

from database_clock import PostgresClock, SqliteClock, clock_of
from stored import World, delivered
from taskcfg.daemon.reaping import LAPSE, Reaping
from taskcfg.daemon.timekeeping import ClockWatch
from taskcfg.spec.clock_guard import APART, JUMP
from taskcfg.spec.fires import Refused
from taskcfg.store import leases, nodes
from taskcfg.store.columns import in_seconds
from taskcfg.store.database import reading, writing
from taskcfg.store.executions import ExecutionRecords
from taskcfg.store.tables import lease as lease_table
from taskcfg.store.tables import node as node_table
from taskcfg.testing import FakeClock, make_spec

ROUND = timedelta(seconds=1)
LEASE = timedelta(seconds=30)
HOUR = timedelta(hours=1)
UNCLAIMED = timedelta(minutes=15)


@pytest.fixture
def clock() -> FakeClock:
    """This machine's clock. It is moved on along with the database's own."""
    return FakeClock()


@pytest.fixture
def database_clock(world: World) -> PostgresClock | SqliteClock:
    return clock_of(world.database)


class Time:
    """Both clocks, moved on together as they are; and the database's alone, as an operator does."""

    def __init__(self, clock: FakeClock, database: PostgresClock | SqliteClock) -> None:
        self._clock = clock
        self._database = database
        self._passed = timedelta()
        self._set = timedelta()

    def passes(self, duration: timedelta) -> None:
        self._clock.advance(duration)
        self._passed += duration
        self._database.set(self._passed + self._set)

    def is_set(self, moved: timedelta) -> None:
        self._set += moved
        self._database.set(self._passed + self._set)


@pytest.fixture
def time(clock: FakeClock, database_clock: PostgresClock | SqliteClock) -> Time:
    return Time(clock, database_clock)


def new_worker(world: World) -> UUID:
    boot = uuid4()
    nodes.register(world.database, boot, kind=nodes.WORKER, name="w", host="h", pid=1, lease=LEASE)
    return boot


def run_something(world: World, boot: UUID, *, task: str = "a", time_limit: float | None = None) -> None:
    world.add(make_spec(task))
    (fire,) = world.let_fire(task)
    if time_limit is not None:
        world.change_events(message={**world.event(fire.event_id).message, "time_limit": time_limit})
    world.publish([fire])
    started = ExecutionRecords(world.database).start(delivered(fire, boot=boot))
    assert not isinstance(started, Refused)


def states(world: World) -> list[str]:
    return [row.state for row in world.executions()]


def rounds(reaping: Reaping, time: Time, seconds: float) -> None:
    for _ in range(int(seconds)):
        time.passes(ROUND)
        reaping.run_once()


def a_reaper(world: World, clock: FakeClock) -> Reaping:
    return Reaping(world.database, world.node, UNCLAIMED, clock)


def test_a_worker_that_was_silent_for_its_lease_is_dead(world: World, clock: FakeClock, time: Time) -> None:
    run_something(world, new_worker(world))
    reaping = a_reaper(world, clock)

    rounds(reaping, time, LEASE.total_seconds() - 1)
    assert states(world) == ["running"]

    rounds(reaping, time, 3)
    assert states(world) == ["lost"]


def test_one_that_signed_off_is_dead_at_once(world: World, clock: FakeClock, time: Time) -> None:
    boot = new_worker(world)
    run_something(world, boot)
    nodes.end(world.database, boot)

    a_reaper(world, clock).run_once()

    assert states(world) == ["lost"]


def test_a_reaper_that_starts_gives_everybody_a_whole_lease_since_the_clock_may_just_have_jumped(
    world: World, clock: FakeClock, time: Time
) -> None:
    boot = new_worker(world)
    run_something(world, boot)
    time.is_set(HOUR)
    reaping = a_reaper(world, clock)

    rounds(reaping, time, 20)
    assert states(world) == ["running"]
    nodes.renew(world.database, boot, LEASE)
    rounds(reaping, time, 25)
    assert states(world) == ["running"]

    rounds(reaping, time, 10)
    assert states(world) == ["lost"]


@pytest.mark.parametrize("moved", [40, JUMP + 10, 3600, -3600], ids=str)
def test_after_the_clock_was_set_a_living_worker_has_time_to_renew(
    world: World, clock: FakeClock, time: Time, moved: float
) -> None:
    boot = new_worker(world)
    run_something(world, boot)
    reaping = a_reaper(world, clock)
    for _ in range(6):
        rounds(reaping, time, 10)
        nodes.renew(world.database, boot, LEASE)
    rounds(reaping, time, 9)

    time.is_set(timedelta(seconds=moved))
    rounds(reaping, time, 9)
    assert states(world) == ["running"]
    nodes.renew(world.database, boot, LEASE)
    rounds(reaping, time, 25)
    assert states(world) == ["running"]

    rounds(reaping, time, 10)
    assert states(world) == ["lost"]


def test_a_dead_worker_does_not_live_an_hour_longer_because_the_clock_was_set_back(
    world: World, clock: FakeClock, time: Time
) -> None:
    run_something(world, new_worker(world))
    reaping = a_reaper(world, clock)
    rounds(reaping, time, 5)

    time.is_set(-HOUR)
    rounds(reaping, time, LEASE.total_seconds() + APART + 3)

    assert states(world) == ["lost"]


def test_a_machine_that_slept_for_a_minute_takes_nobody_for_dead(
    world: World, clock: FakeClock, time: Time
) -> None:
    boot = new_worker(world)
    run_something(world, boot)
    reaping = a_reaper(world, clock)
    rounds(reaping, time, LEASE.total_seconds() - 1)
    nodes.renew(world.database, boot, LEASE)

    time.is_set(timedelta(seconds=55))  # the monotonic clock stands still in sleep
    rounds(reaping, time, 9)
    nodes.renew(world.database, boot, LEASE)
    rounds(reaping, time, 9)

    assert states(world) == ["running"]


def test_after_a_lapse_it_is_patient_again(world: World, clock: FakeClock, time: Time) -> None:
    reaping = a_reaper(world, clock)
    rounds(reaping, time, LEASE.total_seconds() + 5)
    boot = new_worker(world)
    run_something(world, boot)

    time.passes(LEASE + timedelta(seconds=LAPSE))
    reaping.run_once()
    assert states(world) == ["running"]
    nodes.renew(world.database, boot, LEASE)
    rounds(reaping, time, LEASE.total_seconds() - 2)
    assert states(world) == ["running"]


def test_an_attempt_is_not_timed_out_by_a_clock_that_jumped(
    world: World, clock: FakeClock, time: Time
) -> None:
    boot = new_worker(world)
    run_something(world, boot, time_limit=120)
    reaping = a_reaper(world, clock)
    reaping.run_once()

    time.is_set(HOUR)
    for _ in range(12):
        rounds(reaping, time, 10)
        nodes.renew(world.database, boot, LEASE)
    assert states(world) == ["running"]

    for _ in range(9):
        rounds(reaping, time, 10)
        nodes.renew(world.database, boot, LEASE)
    assert states(world) == ["timed_out"]


def test_a_reaper_stops_in_the_middle_when_the_clock_is_set_under_it(
    world: World, clock: FakeClock, time: Time, caplog: pytest.LogCaptureFixture
) -> None:
    boot = new_worker(world)
    run_something(world, boot)
    reaping = a_reaper(world, clock)
    rounds(reaping, time, LEASE.total_seconds() - 2)
    nodes.renew(world.database, boot, LEASE)
    rounds(reaping, time, 5)

    class SetInBetween(ClockWatch):
        """A watch whose first look comes before the clock is set, and the next after."""

        looked = False

        def observe(self, look: object) -> bool:
            if not self.looked:
                self.looked = True
                time.is_set(timedelta(seconds=50))
            return super().observe(look)  # type: ignore[arg-type]

    reaping._watch = SetInBetween(clock)
    reaping.run_once()

    assert states(world) == ["running"]
    assert "reaper.stopped" in caplog.text


def test_a_reaper_stops_in_the_middle_when_it_can_no_longer_trust_its_lease(
    world: World, clock: FakeClock, time: Time, caplog: pytest.LogCaptureFixture
) -> None:
    run_something(world, new_worker(world))
    reaping = a_reaper(world, clock)
    rounds(reaping, time, LEASE.total_seconds() - 1)
    held = leases.acquire(world.database, "reaper", world.node, clock)
    assert held is not None

    class FrozenForAWhile(ClockWatch):
        """A watch in which the process stands still, after it was asked for the first time."""

        looked = False

        def observe(self, look: object) -> bool:
            if not self.looked:
                self.looked = True
                time.passes(timedelta(seconds=14))
            return super().observe(look)  # type: ignore[arg-type]

    reaping._watch = FrozenForAWhile(clock)
    reaping.run_once()

    assert not held.trusted(clock)
    assert states(world) == ["running"]
    assert "reaper.stopped" in caplog.text


def test_only_one_node_reaps(world: World, clock: FakeClock, time: Time) -> None:
    boot = new_worker(world)
    run_something(world, boot)
    nodes.end(world.database, boot)
    other = Reaping(world.database, world.new_node(), UNCLAIMED, clock)
    leases.acquire(world.database, "reaper", world.new_node(), clock)

    rounds(other, time, 10)
    assert states(world) == ["running"]

    rounds(other, time, 7)
    assert states(world) == ["lost"]


def test_a_lease_from_before_the_clock_was_set_back_is_over(
    world: World, clock: FakeClock, time: Time
) -> None:
    dead, alive = uuid4(), uuid4()
    assert leases.acquire(world.database, "reaper", dead, clock)
    assert leases.acquire(world.database, "reaper", alive, clock) is None

    time.is_set(-HOUR)

    assert leases.acquire(world.database, "reaper", alive, clock)
    with reading(world.database) as connection:
        assert connection.scalar(lease_table.select().with_only_columns(lease_table.c.holder)) == alive


def test_nodes_that_are_gone_are_not_forgotten_while_the_living_may_not_have_renewed(
    world: World, clock: FakeClock, time: Time
) -> None:
    boot = new_worker(world)
    with writing(world.database) as connection:
        long_ago = in_seconds(-2 * 86_400)
        connection.execute(
            update(node_table)
            .where(node_table.c.id == boot)
            .values(renewed_at=in_seconds(-2 * 86_400 - 30), expires_at=long_ago)
        )
    reaping = a_reaper(world, clock)

    rounds(reaping, time, 20)
    assert known(world) == [boot]

    rounds(reaping, time, 20)
    assert known(world) == []


def known(world: World) -> list[UUID]:
    with reading(world.database) as connection:
        return [row.id for row in nodes.known_nodes(connection, nodes.WORKER)]
