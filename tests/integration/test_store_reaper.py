"""Who is alive, and what becomes of the work of those who are not."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from stored import LEASE, World, delivered
from taskcfg.spec.fires import Dispatched, ExecutionState, Outcome, Outgoing, Started
from taskcfg.spec.policy import Delivery, Overlap, OverlapMode, Policy, Retry
from taskcfg.store import leases, nodes
from taskcfg.store.database import reading, writing
from taskcfg.store.executions import ExecutionRecords
from taskcfg.store.reaper import Reaped, reap
from taskcfg.testing import FakeClock, make_spec

MINUTE = timedelta(minutes=1)
QUARTER = timedelta(minutes=15)


def published(world: World, *names: str, **fields: Any) -> dict[str, Outgoing]:
    world.add(*(make_spec(name, **fields) for name in names or ("nightly",)))
    fires = world.let_fire()
    world.publish(fires)
    return {fire.task: fire for fire in fires}


def start(world: World, dispatched: Dispatched) -> UUID:
    started = ExecutionRecords(world.database).start(dispatched)
    assert isinstance(started, Started)
    return started.execution_id


def ago(duration: timedelta) -> datetime:
    return datetime.now(UTC) - duration


class TestNodes:
    """A node's row is its lease."""

    def alive(self, world: World, kind: str = nodes.WORKER) -> set[UUID]:
        with reading(world.database) as connection:
            return {row.id for row in nodes.known_nodes(connection, kind, alive_only=True)}

    def test_a_node_lives_as_long_as_it_renews(self, world: World) -> None:
        node = world.new_node(nodes.WORKER)
        assert self.alive(world) == {node}

        world.kill_node(node)
        assert self.alive(world) == set()

        assert nodes.renew(world.database, node, LEASE)
        assert self.alive(world) == {node}

    def test_one_that_signed_off_is_not_brought_back_by_a_late_renewal(self, world: World) -> None:
        node = world.new_node(nodes.WORKER)
        nodes.end(world.database, node)

        assert not nodes.renew(world.database, node, LEASE)
        assert self.alive(world) == set()

    def test_one_whose_row_is_gone_is_told_and_can_register_again(self, world: World) -> None:
        node = world.new_node(nodes.WORKER)
        world.forget_nodes()
        assert not nodes.renew(world.database, node, LEASE)

        for _ in range(2):
            nodes.register(world.database, node, kind=nodes.WORKER, name="n", host="h", pid=2, lease=LEASE)

        assert self.alive(world) == {node}

    def test_the_list_tells_what_each_is(self, world: World) -> None:
        node = world.new_node(nodes.WORKER, queues=["celery", "reports"])
        gone = world.new_node(nodes.WORKER)
        nodes.end(world.database, gone)

        with reading(world.database) as connection:
            rows = {row.id: row for row in nodes.known_nodes(connection, nodes.WORKER)}

        assert set(rows) == {node, gone}
        assert (rows[node].queues, rows[node].alive, rows[node].host, rows[node].pid) == (
            ("celery", "reports"), True, "h", 1,
        )  # fmt: skip
        assert (rows[gone].queues, rows[gone].alive) == (None, False)

    def test_only_rows_long_gone_are_purged(self, world: World) -> None:
        world.kill_node(world.new_node(nodes.WORKER))
        nodes.end(world.database, world.new_node(nodes.WORKER))

        with writing(world.database) as connection:
            assert nodes.purge(connection) == 0
            assert nodes.purge(connection, timedelta(seconds=-1)) == 2


class TestLeases:
    """Housekeeping is done by one at a time."""

    def test_it_is_held_by_one_until_given_up(self, world: World) -> None:
        one, two = uuid4(), uuid4()

        taken = [leases.acquire(world.database, "reaper", holder) for holder in (one, two, one)]
        leases.release_all(world.database, two)
        still = leases.acquire(world.database, "reaper", two)
        leases.release_all(world.database, one)
        free = leases.acquire(world.database, "reaper", two)

        assert [held is not None for held in taken] == [True, False, True]
        assert still is None
        assert free is not None

    def test_its_holder_distrusts_it_a_second_before_its_end(self, world: World) -> None:
        clock = FakeClock()
        held = leases.acquire(world.database, "reaper", uuid4(), clock)
        assert held is not None

        clock.advance(timedelta(seconds=13.9))
        assert held.trusted(clock)
        clock.advance(timedelta(seconds=0.2))
        assert not held.trusted(clock)

    def test_each_name_is_a_lease_of_its_own(self, world: World) -> None:
        assert leases.acquire(world.database, "reaper", uuid4())
        assert leases.acquire(world.database, "purge", uuid4())


class TestDeadWorkers:
    """The worker's boot row has run out while attempts of it were running."""

    def test_its_attempts_are_lost_and_their_fires_go_out_again(self, world: World) -> None:
        fires = published(world, "a", "b")
        dead, alive = world.new_node(nodes.WORKER), world.new_node(nodes.WORKER)
        start(world, delivered(fires["a"], boot=dead))
        start(world, delivered(fires["b"], boot=alive))
        world.kill_node(dead)

        reaped = reap(world.database)

        assert (reaped, bool(reaped), str(reaped)) == (
            Reaped(lost=1), True, "lost=1 timed_out=0 expired=0 unclaimed=0 stranded=0",
        )  # fmt: skip
        assert {row.state for row in world.executions()} == {"lost", "running"}
        (lost,) = [row for row in world.executions() if row.state == "lost"]
        assert (lost.error, lost.schedule_event_id) == ("its worker died", fires["a"].event_id)
        event = world.event(fires["a"].event_id)
        assert (event.state, event.dispatch_no, event.lost_count) == ("pending", 2, 1)
        assert not reap(world.database)

    def test_at_most_once_stays_lost(self, world: World) -> None:
        (fire,) = published(world, policy=Policy(delivery=Delivery.AT_MOST_ONCE)).values()
        start(world, delivered(fire, boot=uuid4()))

        reap(world.database)

        assert (world.executions()[0].state, world.event().state) == ("lost", "done")

    def test_an_attempt_of_an_unknown_boot_is_left_to_its_time_limit(self, world: World) -> None:
        (fire,) = published(world).values()
        start(world, delivered(fire, boot=None))

        assert not reap(world.database)


class TestSilence:
    """An attempt is long past its hard limit, and its worker still says that it lives."""

    @pytest.mark.parametrize(
        ("past", "state"), [(timedelta(seconds=50), "running"), (2 * MINUTE, "timed_out")]
    )
    def test_it_counts_as_timed_out_after_a_while(self, world: World, past: timedelta, state: str) -> None:
        (fire,) = published(world, policy=Policy(timeout=MINUTE)).values()
        start(world, delivered(fire, boot=world.new_node(nodes.WORKER)))
        world.change_executions(deadline_at=ago(past))

        reap(world.database)

        assert world.executions()[0].state == state

    def test_it_is_retried_as_after_any_timeout(self, world: World) -> None:
        policy = Policy(timeout=MINUTE, retry=Retry(attempts=2))
        (fire,) = published(world, policy=policy).values()
        start(world, delivered(fire))
        world.change_executions(deadline_at=ago(2 * MINUTE))

        assert reap(world.database) == Reaped(timed_out=1)

        assert (world.executions()[0].state, world.event().state) == ("retrying", "pending")


class TestExpiry:
    """Nobody started a fire in the time it had."""

    @pytest.mark.parametrize("state", ["pending", "waiting", "published"])
    def test_it_is_dropped_wherever_it_waits(self, world: World, state: str) -> None:
        published(world, policy=Policy(expires=QUARTER))
        world.change_events(state=state, expires_at=ago(MINUTE))

        assert reap(world.database) == Reaped(expired=1)

        assert (world.event().state, world.event().reason) == ("expired", "expired: not started in time")

    def test_what_was_started_is_not(self, world: World) -> None:
        (fire,) = published(world, policy=Policy(expires=QUARTER)).values()
        start(world, delivered(fire, boot=world.new_node(nodes.WORKER)))
        world.change_events(expires_at=ago(MINUTE))

        assert not reap(world.database)


class TestUnclaimed:
    """The broker has confirmed a fire, and no worker has started it since."""

    def test_it_goes_out_again_under_the_same_id(self, world: World) -> None:
        world.new_node(nodes.WORKER, queues=["celery"])
        (fire,) = published(world).values()
        world.change_events(published_at=ago(QUARTER + MINUTE))

        assert reap(world.database) == Reaped(unclaimed=1)
        (again,) = world.outbox.claim(10, held=())

        assert (again.celery_id, again.dispatch_no) == (fire.celery_id, fire.dispatch_no)
        assert again.epoch > fire.epoch

    def test_each_time_after_twice_as_long(self, world: World) -> None:
        world.new_node(nodes.WORKER)
        published(world)
        waits = []
        for _ in range(4):
            minutes = next(n for n in range(1, 200) if self.taken_after(world, timedelta(minutes=n)))
            waits.append(minutes)
            world.publish(world.outbox.claim(10, held=()))

        assert waits == [15, 30, 60, 120]

    @staticmethod
    def taken_after(world: World, age: timedelta) -> bool:
        world.change_events(published_at=ago(age + timedelta(seconds=1)))
        return bool(reap(world.database))

    def test_not_before_its_time(self, world: World) -> None:
        world.new_node(nodes.WORKER)
        published(world)
        world.change_events(published_at=ago(QUARTER - MINUTE))

        assert not reap(world.database)
        assert reap(world.database, unclaimed_after=5 * MINUTE) == Reaped(unclaimed=1)

    def test_not_when_it_was_started(self, world: World) -> None:
        boot = world.new_node(nodes.WORKER)
        (fire,) = published(world).values()
        start(world, delivered(fire, boot=boot))
        world.change_events(published_at=ago(QUARTER + MINUTE))

        assert not reap(world.database)

    def test_not_while_celerys_own_retry_waits(self, world: World) -> None:
        boot = world.new_node(nodes.WORKER)
        (fire,) = published(world).values()
        execution = start(world, delivered(fire, boot=boot))
        ExecutionRecords(world.database).finish(execution, Outcome(ExecutionState.RETRYING))
        world.change_events(published_at=ago(QUARTER + MINUTE))

        assert not reap(world.database)

    def test_a_fire_that_nobody_serves_says_so_and_stays(self, world: World) -> None:
        world.new_node(nodes.WORKER, queues=["celery"])
        fires = published(world, queue="reports")
        world.change_events(published_at=ago(QUARTER + MINUTE))

        for _ in range(2):
            assert not reap(world.database)
        without = world.event()
        world.new_node(nodes.WORKER, queues=["reports"])
        reaped = reap(world.database)

        assert (without.state, without.reason) == ("published", "no worker serves queue `reports`")
        assert reaped == Reaped(unclaimed=1)
        assert world.event(fires["nightly"].event_id).reason is None

    def test_without_any_worker_nothing_goes_out_again(self, world: World) -> None:
        published(world)
        world.change_events(published_at=ago(QUARTER + MINUTE))

        assert not reap(world.database)
        assert world.event().reason == "no worker is alive"

    def test_what_the_broker_refused_before_does_not_lengthen_the_first_wait(self, world: World) -> None:
        world.new_node(nodes.WORKER)
        published(world)
        world.change_events(state="pending", published_at=None, publish_attempts=5, node_id=None)
        world.publish(world.outbox.claim(10, held=()))
        world.change_events(published_at=ago(QUARTER + MINUTE))

        assert reap(world.database) == Reaped(unclaimed=1)


def test_many_dead_attempts_are_all_found(world: World) -> None:
    allow = Policy(overlap=Overlap(OverlapMode.ALLOW))
    fires = published(world, *(f"t{number:02}" for number in range(30)), policy=allow)
    for fire in fires.values():
        start(world, delivered(fire, boot=uuid4()))

    assert reap(world.database) == Reaped(lost=30)
    assert {row.state for row in world.events()} == {"pending"}


class TestStranded:
    """A Celery task's own retry that waits in a worker that died."""

    def retrying(self, world: World) -> tuple[Outgoing, UUID]:
        fire = published(world)["nightly"]
        boot = world.new_node(nodes.WORKER)
        execution = start(world, delivered(fire, boot=boot))
        waits = Outcome(ExecutionState.RETRYING, error="Retry in 60s")
        ExecutionRecords(world.database).finish(execution, waits)
        return fire, boot

    def make_old(self, world: World) -> None:
        world.change_events(published_at=ago(2 * QUARTER))
        world.change_executions(finished_at=ago(2 * QUARTER))

    def test_it_is_dispatched_anew_and_its_late_message_is_refused(self, world: World) -> None:
        fire, boot = self.retrying(world)
        self.make_old(world)
        world.kill_node(boot)

        assert reap(world.database, unclaimed_after=QUARTER) == Reaped(stranded=1)

        (again,) = world.outbox.claim(10, held=())
        assert (again.event_id, again.dispatch_no) == (fire.event_id, fire.dispatch_no + 1)
        late = ExecutionRecords(world.database).start(delivered(fire, celery_retry=1))
        assert not isinstance(late, Started)

    def test_one_whose_worker_lives_waits_as_long_as_it_likes(self, world: World) -> None:
        self.retrying(world)
        self.make_old(world)

        assert not reap(world.database, unclaimed_after=QUARTER)

    def test_one_that_went_on_elsewhere_is_left_alone(self, world: World) -> None:
        fire, boot = self.retrying(world)
        start(world, delivered(fire, boot=world.new_node(nodes.WORKER), celery_retry=1))
        self.make_old(world)
        world.kill_node(boot)

        assert not reap(world.database, unclaimed_after=QUARTER)
