"""The relay: nothing recorded is forgotten, whatever breaks; a broken broker is left alone for a while."""

import logging
from collections.abc import Sequence
from datetime import timedelta

import pytest

from fires import outgoing
from ledger import MemoryOutbox
from taskcfg.dispatch.relay import Relay
from taskcfg.errors import DatabaseUnavailable
from taskcfg.spec.fires import Confirmed, Outgoing, Receipt, Unconfirmed, Unroutable, Unsendable
from taskcfg.testing import FakeClock


class Broker:
    """Takes what is sent; while `down`, answers for nothing; `special` answers are by task."""

    def __init__(self) -> None:
        self.down = False
        self.taken: list[Outgoing] = []
        self.batches: list[int] = []
        self.special: dict[str, Receipt] = {}
        self.closed = False

    def send(self, fires: Sequence[Outgoing]) -> list[Receipt]:
        self.batches.append(len(fires))
        if self.down:
            return [Unconfirmed("connection refused")] * len(fires)
        self.taken += fires
        return [self.special.get(fire.message["task"], Confirmed()) for fire in fires]

    def close(self) -> None:
        self.closed = True


@pytest.fixture
def outbox() -> MemoryOutbox:
    return MemoryOutbox()


@pytest.fixture
def broker() -> Broker:
    return Broker()


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def relay(outbox: MemoryOutbox, broker: Broker, clock: FakeClock) -> Relay:
    return Relay(outbox, broker, clock)


def fires(count: int) -> list[Outgoing]:
    return [outgoing() for _ in range(count)]


def test_offered_fires_are_published_in_batches_and_recorded(relay, outbox, broker):
    offered = outbox.hold(fires(2500))
    relay.offer(offered)

    results = [relay.run_once() for _ in range(3)]

    assert broker.taken == offered
    assert broker.batches == [1000, 1000, 500]
    assert outbox.published == [fire.event_id for fire in offered]
    assert [(result.sent, result.confirmed) for result in results] == [(1000, 1000), (1000, 1000), (500, 500)]
    assert [result.wait for result in results] == [0.0, 0.0, 1.0]


def test_what_lies_in_the_outbox_is_claimed_every_second_or_when_hinted_at(relay, outbox, clock):
    relay.run_once()
    outbox.hold(fires(1))
    early = relay.run_once()
    clock.advance(timedelta(seconds=1))
    due = relay.run_once()
    outbox.hold(fires(1))
    relay.hint()
    hinted = relay.run_once()

    assert (early.sent, due.sent, hinted.sent) == (0, 1, 1)
    assert outbox.claims == 3


def test_a_fire_in_memory_is_not_claimed_besides(relay, outbox, broker):
    relay.offer(outbox.hold(fires(3)))

    relay.run_once()
    relay.hint()
    relay.run_once()

    assert len(broker.taken) == 3


def test_a_fire_that_was_claimed_before_it_was_offered_is_published_once_under_the_newer_epoch(
    relay, outbox, broker
):
    [fire] = outbox.hold(fires(1))

    relay.run_once()
    relay.offer([fire])
    relay.run_once()

    assert [sent.epoch for sent in broker.taken] == [fire.epoch + 1]
    assert outbox.published == [fire.event_id]


def test_a_slow_pass_offers_after_later_claims_and_nothing_is_published_twice(relay, outbox, broker, clock):
    slow = outbox.hold(fires(3))
    relay.run_once()
    for _ in range(3):
        outbox.hold(fires(1))
        clock.advance(timedelta(seconds=1))
        relay.run_once()

    relay.offer(slow)
    relay.run_once()

    assert len(broker.taken) == len({fire.event_id for fire in broker.taken}) == 6


def test_an_unroutable_fire_stays_and_an_unsendable_one_is_dead(relay, outbox, broker):
    broker.special = {"demo.lost": Unroutable("no queue"), "demo.bad": Unsendable("a set")}
    lost, bad, good = outgoing("demo.lost"), outgoing("demo.bad"), outgoing()
    relay.offer(outbox.hold([lost, bad, good]))

    result = relay.run_once()

    assert (result.confirmed, result.unroutable, result.unsendable) == (1, 1, 1)
    assert outbox.reasons == {lost.event_id: "no queue"}
    assert outbox.dead == {bad.event_id: "a set"}


def test_memory_is_bounded_and_what_it_does_not_hold_is_claimed_later(outbox, broker, clock):
    relay = Relay(outbox, broker, clock, capacity=10, batch=10)
    relay.offer(outbox.hold(fires(25)))
    sent = 0
    while sent < 25:
        sent += relay.run_once().sent
        clock.advance(timedelta(seconds=1))

    assert len(outbox.published) == 25
    assert {*outbox.published} == {fire.event_id for fire in broker.taken}


def test_memory_never_starves_the_outbox(outbox, broker, clock):
    relay = Relay(outbox, broker, clock, batch=10)
    [waiting] = outbox.hold(fires(1))
    relay.run_once()
    outbox.hold([waiting])
    outbox.published.clear()
    for _ in range(8):
        relay.offer(outbox.hold(fires(20)))
        relay.run_once()
        clock.advance(timedelta(seconds=1))

    assert outbox.claims >= 2


def test_a_broker_that_is_down_is_tried_ever_more_rarely_and_said_to_be_down_once(
    relay, outbox, broker, clock, caplog
):
    broker.down = True
    relay.offer(outbox.hold(fires(5)))
    waits = []
    for _ in range(8):
        waits.append(relay.run_once().wait)
        clock.advance(timedelta(seconds=waits[-1]))
        relay.offer(outbox.hold(fires(1)))

    assert waits == [0.5, 1.0, 2.0, 4.0, 8.0, 10.0, 10.0, 10.0]
    assert [record.getMessage() for record in caplog.records] == [
        "broker.unavailable reason='connection refused'"
    ]
    assert outbox.published == []


def test_while_the_broker_is_down_nothing_is_sent_nor_held(relay, outbox, broker, clock):
    broker.down = True
    relay.offer(outbox.hold(fires(5)))
    relay.run_once()
    relay.offer(outbox.hold(fires(5)))

    waiting = relay.run_once()
    claimed = outbox.claim(100, held=())

    assert waiting.sent == 0
    assert waiting.wait == 0.5
    assert broker.batches == [5]
    assert len(claimed) == 10


def test_when_the_broker_returns_everything_is_published_and_that_is_said_once(
    relay, outbox, broker, clock, caplog
):
    caplog.set_level(logging.INFO)
    broker.down = True
    relay.offer(outbox.hold(fires(1500)))
    relay.run_once()
    clock.advance(timedelta(seconds=30))
    broker.down = False
    relay.offer(outbox.hold(fires(10)))

    while relay.run_once().sent:
        continue

    assert len(outbox.published) == 1510
    assert [record.getMessage() for record in caplog.records][1:] == ["broker.recovered after=30.0s"]


def test_one_message_without_an_answer_among_others_is_no_outage(relay, outbox, broker, clock):
    broker.special = {"demo.refused": Unconfirmed("nack")}
    relay.offer(outbox.hold([outgoing("demo.refused"), outgoing()]))

    result = relay.run_once()
    clock.advance(timedelta(seconds=1))
    again = relay.run_once()

    assert (result.confirmed, result.unconfirmed) == (1, 1)
    assert again.unconfirmed == 1


def test_receipts_that_could_not_be_recorded_are_recorded_first_thing_when_the_database_is_back(
    relay, outbox, broker
):
    relay.run_once()  # the outbox is not asked again within a second
    relay.offer(outbox.hold(fires(3)))
    outbox.away = True

    for _ in range(3):
        with pytest.raises(DatabaseUnavailable):
            relay.run_once()
    outbox.away = False
    result = relay.run_once()

    assert len(broker.taken) == 3
    assert len(outbox.published) == 3
    assert result.sent == 0


def test_closing_records_what_was_not_recorded_and_ends_the_connection(relay, outbox, broker):
    relay.run_once()
    relay.offer(outbox.hold(fires(3)))
    outbox.away = True
    with pytest.raises(DatabaseUnavailable):
        relay.run_once()
    outbox.away = False

    relay.close()

    assert len(outbox.published) == 3
    assert broker.closed


def test_closing_without_a_database_says_what_it_leaves_and_ends_the_connection(
    relay, outbox, broker, caplog
):
    relay.run_once()
    relay.offer(outbox.hold(fires(1)))
    outbox.away = True
    with pytest.raises(DatabaseUnavailable):
        relay.run_once()

    relay.close()

    assert broker.closed
    assert caplog.messages == ["relay.unrecorded fires=1 reason='the database is away'"]
