"""The outbox: whoever owns a fire publishes it, and nobody's receipt undoes another's work."""

import threading
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from stored import World
from taskcfg.spec.fires import Confirmed, Outgoing, Unconfirmed, Unroutable, Unsendable
from taskcfg.spec.policy import Overlap, OverlapMode, Policy
from taskcfg.store import nodes
from taskcfg.store.outbox import EventOutbox
from taskcfg.testing import make_spec

SECOND = timedelta(seconds=1)
ALLOW = Policy(overlap=Overlap(OverlapMode.ALLOW))


@pytest.fixture
def fires(world: World) -> list[Outgoing]:
    """Three fires, recorded and owned by the world's node."""
    world.add(*(make_spec(f"t{number}") for number in range(3)))
    return world.let_fire()


def other_node(world: World) -> EventOutbox:
    return EventOutbox(world.database, world.new_node())


def test_a_confirmed_fire_is_published_and_never_claimed_again(world: World, fires: list[Outgoing]) -> None:
    world.publish(fires)
    world.kill_node(world.node)

    assert {row.state for row in world.events()} == {"published"}
    assert all(row.published_at is not None for row in world.events())
    assert other_node(world).claim(10, held=()) == []


def test_a_living_nodes_fires_are_left_to_it(world: World, fires: list[Outgoing]) -> None:
    assert other_node(world).claim(10, held=()) == []
    assert world.outbox.claim(10, held=[fire.event_id for fire in fires]) == []


@pytest.mark.parametrize("end", ["it dies", "it signs off", "its row is purged"])
def test_a_gone_nodes_fires_are_taken_over_under_a_new_epoch(
    world: World, fires: list[Outgoing], end: str
) -> None:
    if end == "it dies":
        world.kill_node(world.node)
    elif end == "it signs off":
        nodes.end(world.database, world.node)
    else:
        world.forget_nodes()

    taken = other_node(world).claim(10, held=())

    assert {fire.event_id for fire in taken} == {fire.event_id for fire in fires}
    assert {(fire.epoch, fire.dispatch_no) for fire in taken} == {(1, 1)}
    for before, after in zip(
        sorted(fires, key=lambda fire: fire.task), sorted(taken, key=lambda fire: fire.task), strict=True
    ):
        assert (before.celery_id, before.task, before.message) == (after.celery_id, after.task, after.message)


def test_the_late_receipt_of_a_node_that_was_taken_for_dead_changes_nothing(
    world: World, fires: list[Outgoing]
) -> None:
    world.kill_node(world.node)
    taken = other_node(world).claim(10, held=())

    world.outbox.record([(fires[0], Confirmed()), (fires[1], Unsendable("no")), (fires[2], Unroutable("no"))])

    assert {row.state for row in world.events()} == {"pending"}
    assert {row.reason for row in world.events()} == {None}
    world.publish(taken)
    assert {row.state for row in world.events()} == {"published"}


def test_a_receipt_for_an_older_dispatch_changes_nothing(world: World, fires: list[Outgoing]) -> None:
    world.change_events(dispatch_no=2)

    world.publish(fires)

    assert {row.state for row in world.events()} == {"pending"}


def test_a_receipt_recorded_twice_is_harmless(world: World, fires: list[Outgoing]) -> None:
    world.publish(fires)
    first = world.events()
    world.publish(fires)

    assert world.events() == first


def test_what_a_node_owns_but_forgot_it_takes_again_after_a_moment(
    world: World, fires: list[Outgoing]
) -> None:
    on_their_way = world.outbox.claim(10, held=())
    world.change_events(created_at=datetime.now(UTC) - timedelta(seconds=6))
    held = [fires[0].event_id]

    forgotten = world.outbox.claim(10, held=held)

    assert on_their_way == []
    assert {fire.event_id for fire in forgotten} == {fire.event_id for fire in fires[1:]}


def test_a_claim_takes_no_more_than_its_limit_the_oldest_first(world: World) -> None:
    world.add(make_spec("young"), make_spec("old"), make_spec("middle"))
    for name, late in (("young", 1), ("old", 9), ("middle", 5)):
        world.let_fire(name, late=late * SECOND)
    world.kill_node(world.node)
    outbox = other_node(world)

    held: set[UUID] = set()
    claims = []
    for _ in range(3):
        fires = outbox.claim(2, held=held)
        held |= {fire.event_id for fire in fires}
        claims.append([fire.task for fire in fires])

    assert claims == [["old", "middle"], ["young"], []]


def test_an_unroutable_fire_waits_longer_each_time_and_says_why(world: World) -> None:
    world.add(make_spec())
    (fire,) = world.let_fire()
    waits = []
    for _ in range(8):
        world.outbox.record([(fire, Unroutable("no queue `reports`"))])
        event = world.event()
        waits.append(round((event.next_attempt_at - datetime.now(UTC)).total_seconds()))
        assert (event.state, event.reason) == ("pending", "no queue `reports`")
        assert world.outbox.claim(10, held=()) == []
        world.change_events(next_attempt_at=datetime.now(UTC) - SECOND)
        (fire,) = world.outbox.claim(10, held=())

    assert waits == [1, 2, 4, 8, 16, 32, 60, 60]
    world.publish([fire])
    assert (world.event().state, world.event().reason) == ("published", None)


def test_a_fire_that_cannot_be_sent_is_dead_with_the_reason(world: World, fires: list[Outgoing]) -> None:
    world.outbox.record([(fires[0], Unsendable("cannot be encoded: \0"))])

    event = world.event(fires[0].event_id)
    assert (event.state, event.reason) == ("dead", "cannot be encoded: \ufffd")
    assert event.done_at is not None


def test_an_unconfirmed_fire_is_claimed_again_soon(world: World) -> None:
    world.add(make_spec())
    (fire,) = world.let_fire()

    for _ in range(5):
        world.outbox.record([(fire, Unconfirmed("the broker did not answer"))])
        event = world.event()
        assert event.state == "pending"
        assert event.next_attempt_at - datetime.now(UTC) <= timedelta(seconds=5)
        world.change_events(next_attempt_at=datetime.now(UTC) - SECOND)
        (fire,) = world.outbox.claim(10, held=())


def test_what_nobody_started_in_time_is_expired_instead_of_published(world: World) -> None:
    world.add(make_spec("late", policy=Policy(expires=5 * SECOND)), make_spec("patient"))
    world.let_fire(late=10 * SECOND)
    world.kill_node(world.node)

    taken = other_node(world).claim(10, held=())

    assert [fire.task for fire in taken] == ["patient"]
    (expired,) = [row for row in world.events() if row.state == "expired"]
    assert expired.reason == "expired: not started in time" and expired.done_at is not None


def test_a_retry_is_not_expired_since_the_fire_was_started_in_time(world: World) -> None:
    world.add(make_spec(policy=Policy(expires=5 * SECOND)))
    world.let_fire(late=10 * SECOND)
    world.change_events(attempts=1, node_id=None)

    assert len(other_node(world).claim(10, held=())) == 1


def test_what_is_put_off_is_not_claimed_before_its_time(world: World, fires: list[Outgoing]) -> None:
    world.change_events(node_id=None, next_attempt_at=datetime.now(UTC) + timedelta(minutes=1))

    assert world.outbox.claim(10, held=()) == []


def test_two_relays_that_claim_at_once_share_and_never_both_take_a_fire(world: World) -> None:
    world.add(*(make_spec(f"t{number:03}", policy=ALLOW) for number in range(60)))
    world.let_fire()
    world.change_events(node_id=None)
    taken: list[Outgoing] = []
    start = threading.Barrier(2)

    def relay() -> None:
        outbox, held = other_node(world), set[UUID]()
        start.wait()
        while mine := outbox.claim(7, held=held):
            held |= {fire.event_id for fire in mine}
            taken.extend(mine)

    threads = [threading.Thread(target=relay) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    taken += other_node(world).claim(100, held=())

    assert sorted(fire.task for fire in taken) == [f"t{number:03}" for number in range(60)]
