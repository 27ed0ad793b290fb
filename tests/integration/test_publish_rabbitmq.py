"""Publishing to RabbitMQ: what is confirmed is there, and what is not is known by name."""

import logging
import uuid
from collections.abc import Iterator
from typing import Any

import pytest
from amqp import Channel
from celery import Celery, signals
from kombu import Connection, Exchange, Queue

from fires import DATABASE, options_of, outgoing
from services.proxy import Proxy
from taskcfg.dispatch.publisher import CeleryDispatcher
from taskcfg.spec.fires import Confirmed, Outgoing, Unconfirmed, Unroutable, Unsendable
from waiting import eventually

FOUND_BY_PYAMQP = {"delivery_tag", "redelivered", "message_count"}


def add(*args: Any, **kwargs: Any) -> None: ...


@pytest.fixture
def app(rabbitmq_url: str) -> Iterator[Celery]:
    app = Celery("demo", broker=rabbitmq_url, set_as_current=False)
    app.task(name="demo.add", shared=False)(add)
    yield app
    app.close()


@pytest.fixture
def channel(rabbitmq_url: str) -> Iterator[Channel]:
    with Connection(rabbitmq_url) as connection:
        yield connection.channel()


@pytest.fixture
def dispatcher(app: Celery) -> Iterator[CeleryDispatcher]:
    dispatcher = CeleryDispatcher(app, database=DATABASE)
    yield dispatcher
    dispatcher.close()


def taken(channel: Channel, queue: str) -> list[Any]:
    messages = []
    while (message := channel.basic_get(queue, no_ack=True)) is not None:
        messages.append(message)
    return messages


def ids(messages: list[Any]) -> list[str]:
    return [message.properties["correlation_id"] for message in messages]


def celery_ids(fires: list[Outgoing]) -> list[str]:
    return [str(fire.celery_id) for fire in fires]


def test_a_confirmed_batch_is_in_the_queue_in_order(dispatcher, channel):
    fires = [outgoing(args=[number]) for number in range(2500)]

    receipts = dispatcher.send(fires)

    assert receipts == [Confirmed()] * 2500
    assert ids(taken(channel, "celery")) == celery_ids(fires)


def test_a_message_is_on_the_wire_what_apply_async_sends(app, channel):
    app.conf.task_queues = [Queue("ours", Exchange("own", "topic"), "a.b", max_priority=9)]
    app.conf.task_default_queue = "ours"
    fire = outgoing(args=[1], kwargs={"text": "für"}, priority=7, time_limit=70.0, soft_time_limit=60.0)

    app.tasks["demo.add"].apply_async(fire.message["args"], fire.message["kwargs"], **options_of(fire))
    dispatcher = CeleryDispatcher(app, database=DATABASE)
    dispatcher.send([fire])
    dispatcher.close()

    theirs, ours = eventually(lambda: taken(channel, "ours"))
    assert ours.body == theirs.body
    assert ours.properties == theirs.properties
    assert {**ours.delivery_info, **dict.fromkeys(FOUND_BY_PYAMQP)} == {
        **theirs.delivery_info,
        **dict.fromkeys(FOUND_BY_PYAMQP),
    }


def test_a_body_larger_than_a_frame_arrives_whole(dispatcher, channel):
    text = "x" * 400_000

    assert dispatcher.send([outgoing(args=[text])]) == [Confirmed()]

    [message] = taken(channel, "celery")
    assert text in message.body


def test_one_unroutable_and_one_unsendable_fire_do_not_harm_the_rest_of_their_batch(
    dispatcher, channel, queue_prefix
):
    fires = [outgoing(args=[number]) for number in range(300)]
    fires[100] = outgoing(queue=f"{queue_prefix}nobody")
    fires[200] = outgoing(args=[object()])

    receipts = dispatcher.send(fires)

    assert receipts[100] == Unroutable(
        f"queue `{queue_prefix}nobody` does not exist: start a worker that serves it"
    )
    assert isinstance(receipts[200], Unsendable)
    rest = [fire for number, fire in enumerate(fires) if number not in (100, 200)]
    assert receipts.count(Confirmed()) == len(rest)
    assert ids(taken(channel, "celery")) == celery_ids(rest)


def test_an_unroutable_fire_gets_through_once_somebody_declares_its_queue(dispatcher, channel, queue_prefix):
    name = f"{queue_prefix}later"
    fire = outgoing(queue=name)
    [before] = dispatcher.send([fire])
    channel.queue_declare(name, auto_delete=False)

    [after] = dispatcher.send([fire])

    assert isinstance(before, Unroutable)
    assert after == Confirmed()
    assert ids(taken(channel, name)) == celery_ids([fire])
    channel.queue_delete(name)


def test_an_exchange_that_does_not_exist_costs_only_its_own_fires(app, channel, queue_prefix):
    exchange = f"{queue_prefix}missing"
    app.conf.task_routes = {"demo.lost": {"exchange": exchange, "exchange_type": "topic", "routing_key": "a"}}
    dispatcher = CeleryDispatcher(app)
    fires = [outgoing(), outgoing("demo.lost"), outgoing(), outgoing("demo.lost"), outgoing()]

    for _ in range(2):
        receipts = dispatcher.send(fires)
        assert [type(receipt) for receipt in receipts] == [
            Confirmed,
            Unroutable,
            Confirmed,
            Unroutable,
            Confirmed,
        ]
        assert receipts[1].reason == f"exchange `{exchange}` does not exist: start a worker that declares it"
        assert len(taken(channel, "celery")) == 3
    dispatcher.close()


def test_an_exchange_that_goes_away_in_mid_batch_costs_only_its_own_fires(app, channel, queue_prefix):
    exchange = f"{queue_prefix}going"
    channel.exchange_declare(exchange, "topic", auto_delete=False)
    app.conf.task_routes = {"demo.lost": {"exchange": exchange, "exchange_type": "topic", "routing_key": "a"}}
    dispatcher = CeleryDispatcher(app)
    assert isinstance(
        dispatcher.send([outgoing("demo.lost")])[0], Unroutable
    )  # it is there, and leads nowhere
    channel.exchange_delete(exchange)
    fires = [outgoing(args=[number]) for number in range(50)]
    fires[20] = outgoing("demo.lost")

    receipts = dispatcher.send(fires)

    assert isinstance(receipts[20], Unroutable)
    assert receipts.count(Confirmed()) == 49
    # those after the culprit were published again: twice at most, never not at all
    assert {*ids(taken(channel, "celery"))} == {*celery_ids(fires)} - {str(fires[20].celery_id)}
    dispatcher.close()


def test_a_queue_that_exists_with_other_arguments_is_published_to_all_the_same(
    app, dispatcher, channel, caplog
):
    channel.queue_declare("celery", durable=True, auto_delete=False, arguments={"x-max-priority": 5})

    with caplog.at_level(logging.WARNING):
        assert dispatcher.send([outgoing(), outgoing()]) == [Confirmed(), Confirmed()]
        assert dispatcher.send([outgoing()]) == [Confirmed()]

    assert len(taken(channel, "celery")) == 3
    assert [record.message.split(" reason")[0] for record in caplog.records] == [
        "queue.undeclared queue=celery"
    ]


def test_what_the_broker_refuses_to_keep_is_unconfirmed_alone(dispatcher, channel, queue_prefix):
    full = f"{queue_prefix}full"
    channel.queue_declare(
        full, auto_delete=False, arguments={"x-max-length": 1, "x-overflow": "reject-publish"}
    )

    receipts = dispatcher.send([outgoing(queue=full), outgoing(queue=full), outgoing()])

    assert [type(receipt) for receipt in receipts] == [Confirmed, Unconfirmed, Confirmed]
    assert "nack" in receipts[1].reason
    channel.queue_delete(full)


def test_celerys_publish_signals_are_sent_to_who_listens(dispatcher, channel):
    told: list[tuple[str, str]] = []

    def before(sender: str, headers: dict[str, Any], body: Any, **_: Any) -> None:
        headers["traceparent"] = "from-a-receiver"
        body[1]["extra"] = "from a receiver"
        told.append(("before", headers["id"]))

    def after(sender: str, headers: dict[str, Any], **_: Any) -> None:
        told.append(("after", headers["id"]))

    signals.before_task_publish.connect(before, sender="demo.add")
    signals.after_task_publish.connect(after, sender="demo.add")
    fire, other = outgoing(kwargs={"a": 1}), outgoing(queue=uuid.uuid4().hex)
    dispatcher.send([fire, other])
    signals.before_task_publish.disconnect(before, sender="demo.add")
    signals.after_task_publish.disconnect(after, sender="demo.add")

    [message] = taken(channel, "celery")
    assert message.properties["application_headers"]["traceparent"] == "from-a-receiver"
    assert "from a receiver" in message.body
    assert fire.message["kwargs"] == {"a": 1}
    assert told == [
        ("before", str(fire.celery_id)),
        ("before", str(other.celery_id)),
        ("after", str(fire.celery_id)),
    ]


# -- a broker that goes away


@pytest.fixture
def proxied(rabbitmq_url: str, tcp_proxy: Any) -> Iterator[tuple[Proxy, CeleryDispatcher]]:
    proxy: Proxy = tcp_proxy(rabbitmq_url)
    app = Celery("demo", broker=proxy.url_for(rabbitmq_url), set_as_current=False)
    dispatcher = CeleryDispatcher(app, confirm_timeout=1.0, connect_timeout=1.0)
    yield proxy, dispatcher
    dispatcher.close()


def test_a_frozen_broker_leaves_a_batch_unconfirmed_within_the_timeout_and_then_it_goes_on(proxied, channel):
    proxy, dispatcher = proxied
    assert dispatcher.send([outgoing()]) == [Confirmed()]
    proxy.freeze()
    fires = [outgoing(args=["x" * 10_000]) for _ in range(1000)]  # more than the sockets hold

    frozen = dispatcher.send(fires)
    proxy.restore()
    after = eventually(lambda: confirmed(dispatcher, fires))

    assert {*frozen} == {Unconfirmed("the broker did not confirm within 1 s")}
    assert after == [Confirmed()] * 1000


def test_a_broker_that_is_frozen_from_the_start_is_waited_for_a_bounded_time(proxied):
    proxy, dispatcher = proxied
    proxy.freeze()

    [receipt] = dispatcher.send([outgoing()])

    assert isinstance(receipt, Unconfirmed)
    assert receipt.reason.startswith("cannot connect to amqp://guest:**@127.0.0.1:")


def test_a_broker_that_is_down_gives_one_clear_reason_for_all(proxied):
    proxy, dispatcher = proxied
    proxy.cut()

    receipts = dispatcher.send([outgoing(), outgoing()])

    assert len({*receipts}) == 1
    assert "Connection refused" in receipts[0].reason
    assert "guest:guest" not in receipts[0].reason


def test_a_broker_that_dies_in_mid_batch_leaves_the_unanswered_unconfirmed(proxied, channel):
    proxy, dispatcher = proxied
    assert dispatcher.send([outgoing()]) == [Confirmed()]
    seen = 0

    def cut_halfway(**_: Any) -> None:
        nonlocal seen
        seen += 1
        if seen == 500:
            proxy.cut()

    signals.before_task_publish.connect(cut_halfway)
    receipts = dispatcher.send([outgoing(args=[number]) for number in range(1000)])
    signals.before_task_publish.disconnect(cut_halfway)

    assert {type(receipt) for receipt in receipts} <= {Confirmed, Unconfirmed}
    assert isinstance(receipts[-1], Unconfirmed)
    proxy.restore()
    assert eventually(lambda: confirmed(dispatcher, [outgoing()]))


def test_a_connection_that_died_at_rest_is_made_anew_without_a_failure(proxied):
    proxy, dispatcher = proxied
    assert dispatcher.send([outgoing()]) == [Confirmed()]
    proxy.cut()
    proxy.restore()

    assert dispatcher.send([outgoing()]) == [Confirmed()]


def confirmed(dispatcher: CeleryDispatcher, fires: list[Outgoing]) -> list[Any]:
    receipts = dispatcher.send(fires)
    return receipts if {*map(type, receipts)} == {Confirmed} else []
