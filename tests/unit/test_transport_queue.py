"""The queues of a broker's file without kombu: putting, taking, leases."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from brokers import Brokers, in_child
from taskcfg.transport.consumer import FROZEN, LEASE, LostLease
from taskcfg.transport.sqlite_queue import Outgoing
from taskcfg.transport.topology import Binding


@pytest.fixture
def connect(tmp_path: Path) -> Iterator[Brokers]:
    with closing(Brokers(tmp_path / "broker.db")) as brokers:
        yield brokers


def test_the_highest_priority_goes_first_and_equal_ones_in_order_of_arrival(connect: Brokers) -> None:
    broker = connect()
    broker.put("low 1", "low 2", priority=0)
    broker.put("high 1", "high 2", priority=9)
    broker.put("middle", priority=5)

    assert broker.take() == ["high 1", "high 2", "middle", "low 1", "low 2"]


def test_what_one_consumer_took_no_other_gets_until_it_is_given_back(connect: Brokers) -> None:
    one, other = connect(), connect()
    one.put("a", "b")
    (delivery,) = one.consumer.take(["work"], 1)

    assert other.take() == ["b"]
    one.consumer.restore([delivery.receipt])
    (again,) = other.consumer.take(["work"], 1)
    assert (again.body, delivery.redelivered, again.redelivered) == ("a", False, True)


def test_a_message_given_back_keeps_its_place(connect: Brokers) -> None:
    broker = connect()
    broker.put("first", "second")
    (delivery,) = broker.consumer.take(["work"], 1)

    broker.consumer.restore([delivery.receipt])

    assert broker.take() == ["first", "second"]


def test_an_acknowledged_message_is_gone_for_good(connect: Brokers) -> None:
    broker = connect()
    broker.put("done", "lost")
    done, _ = broker.consumer.take(["work"], 2)

    broker.consumer.ack(done.receipt)
    broker.consumer.leave()

    assert connect().take() == ["lost"]


def test_a_message_taken_away_needs_no_acknowledgement(connect: Brokers) -> None:
    broker = connect()
    broker.put("event")

    delivery = broker.consumer.take_away("work")

    assert delivery is not None and delivery.body == "event"
    broker.consumer.leave()
    assert connect().take() == []


def test_a_limit_is_kept_over_several_queues_and_the_first_queue_goes_first(connect: Brokers) -> None:
    broker = connect()
    broker.queue.put([Outgoing("b", "b1"), Outgoing("a", "a1"), Outgoing("a", "a2")])

    taken = broker.consumer.take(["a", "b"], 2)

    assert [delivery.body for delivery in taken] == ["a1", "a2"]


def test_several_messages_are_put_all_or_none(connect: Brokers) -> None:
    broker = connect()

    with pytest.raises(sqlite3.IntegrityError):
        broker.queue.put([Outgoing("work", "good"), Outgoing(None, "bad")])  # type: ignore[arg-type]  # on purpose

    assert broker.queue.size("work") == 0


def test_size_and_purge_leave_out_what_is_being_worked_on(connect: Brokers) -> None:
    broker = connect()
    broker.put("a", "b", "c")
    (delivery,) = broker.consumer.take(["work"], 1)

    assert (broker.queue.size("work"), broker.queue.purge("work")) == (2, 2)
    broker.consumer.restore([delivery.receipt])
    assert broker.take() == ["a"]


def test_a_consumer_that_beats_keeps_what_it_took(connect: Brokers) -> None:
    working, other = connect(), connect()
    working.put("long work")
    working.take()

    for _ in range(100):
        connect.clock.sleep(LEASE - 1)
        working.consumer.beat()
        other.consumer.beat()

    assert other.take() == []


def test_a_living_process_that_stopped_beating_loses_its_lease_only_after_a_while(connect: Brokers) -> None:
    frozen, other = connect(), connect()
    frozen.put("work")
    frozen.take()

    connect.clock.sleep(LEASE + FROZEN - 1)
    assert other.consumer.release_dead() == 0
    connect.clock.sleep(2)
    assert other.consumer.release_dead() == 1
    assert other.take() == ["work"]


def test_one_whose_lease_was_lost_learns_it_at_once(connect: Brokers) -> None:
    frozen, other = connect(), connect()
    frozen.put("a", "b")
    frozen.consumer.take(["work"], 1)
    connect.clock.sleep(LEASE + FROZEN + 1)
    other.consumer.release_dead()

    with pytest.raises(LostLease, match="taken for dead"):
        frozen.take()
    with pytest.raises(LostLease):
        frozen.consumer.beat()
    assert other.take() == ["a", "b"]


def test_a_late_acknowledgement_spares_a_second_run_but_never_takes_one_from_another(
    connect: Brokers,
) -> None:
    frozen, other = connect(), connect()
    frozen.put("nobody's", "another's")
    nobodys, anothers = frozen.consumer.take(["work"], 2)
    connect.clock.sleep(LEASE + FROZEN + 1)
    other.consumer.release_dead()
    frozen.consumer.ack(nobodys.receipt)
    (taken,) = other.consumer.take(["work"], 2)

    frozen.consumer.ack(anothers.receipt)

    other.consumer.restore([taken.receipt])
    assert other.take() == ["another's"]


def test_what_a_killed_process_held_is_free_as_soon_as_anybody_looks(connect: Brokers) -> None:
    other = connect()
    other.put("work")

    in_child(lambda: other.consumer.take(["work"], 1))

    assert other.take() == []
    assert other.consumer.release_dead() == 1
    assert other.take() == ["work"]


def test_a_forked_child_neither_gives_back_nor_leaves_what_its_parent_holds(connect: Brokers) -> None:
    parent, other = connect(), connect()
    parent.put("work")
    (delivery,) = parent.consumer.take(["work"], 1)

    def clean_up() -> None:
        parent.consumer.restore([delivery.receipt])
        parent.consumer.leave()
        parent.file.close()

    in_child(clean_up)

    other.consumer.beat()
    assert other.take() == []
    parent.consumer.beat()


def test_a_message_is_dropped_when_it_or_its_queue_says_so(connect: Brokers) -> None:
    broker = connect()
    broker.topology.declare_queue("short", auto_delete=False, expires=None, message_ttl=10)
    broker.queue.put([Outgoing("short", "queue's limit"), Outgoing("work", "own limit", expiration=20)])
    broker.queue.put([Outgoing("short", "the sooner one", expiration=5), Outgoing("work", "none")])

    connect.clock.sleep(6)
    broker.consumer.beat()
    assert broker.queue.size("short") == 1
    connect.clock.sleep(15)
    broker.consumer.beat()
    assert (broker.queue.size("short"), broker.take()) == (0, ["none"])


def test_a_queue_goes_when_its_last_consumer_has_left_or_died(connect: Brokers) -> None:
    one, other = connect(), connect()
    one.topology.declare_queue("replies", auto_delete=True, expires=None, message_ttl=None)
    one.topology.bind("control", Binding("", None, "replies"))
    one.consumer.subscribe("replies")
    other.consumer.subscribe("replies")

    one.consumer.unsubscribe("replies")
    assert one.topology.has_queue("replies")
    connect.clock.sleep(LEASE + FROZEN + 1)
    one.consumer.release_dead()
    assert not one.topology.has_queue("replies")
    assert one.topology.bindings("control") == []


def test_a_queue_that_nobody_consumes_expires_and_one_in_use_does_not(connect: Brokers) -> None:
    broker = connect()
    for name in ("unused", "used"):
        broker.topology.declare_queue(name, auto_delete=False, expires=10, message_ttl=None)
    broker.consumer.subscribe("used")

    for _ in range(4):
        connect.clock.sleep(4)
        broker.consumer.beat()

    assert (broker.topology.has_queue("unused"), broker.topology.has_queue("used")) == (False, True)
