"""Publishing to Redis and to the embedded broker: their own answer is the confirm."""

import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from celery import Celery

from fires import DATABASE, options_of, outgoing
from services.proxy import Proxy
from taskcfg import transport
from taskcfg.dispatch.publisher import CeleryDispatcher
from taskcfg.spec.fires import Confirmed, Outgoing, Unconfirmed, Unroutable, Unsendable
from waiting import eventually


def add(*args: Any, **kwargs: Any) -> None: ...


def make_app(url: str) -> Celery:
    app = Celery("demo", broker=url, set_as_current=False)
    app.task(name="demo.add", shared=False)(add)
    return app


@pytest.fixture(params=["embedded", "redis"])
def app(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Celery]:
    """An app on each broker in turn."""
    transport.register()
    url = (
        request.getfixturevalue("redis_url")
        if request.param == "redis"
        else f"embedded:///{tmp_path}/broker.db"
    )
    app = make_app(url)
    yield app
    app.close()


@pytest.fixture
def dispatcher(app: Celery) -> Iterator[CeleryDispatcher]:
    dispatcher = CeleryDispatcher(app, database=DATABASE)
    yield dispatcher
    dispatcher.close()


def taken(app: Celery, queue: str = "celery") -> list[Any]:
    messages = []
    with app.connection_for_read() as connection, connection.channel() as channel:
        while (message := channel.basic_get(queue, no_ack=True)) is not None:
            messages.append(message)
    return messages


def ids(messages: list[Any]) -> list[str]:
    return [message.properties["correlation_id"] for message in messages]


def celery_ids(fires: list[Outgoing]) -> list[str]:
    return [str(fire.celery_id) for fire in fires]


def test_a_confirmed_batch_is_in_the_queue(app, dispatcher):
    fires = [outgoing(args=[number]) for number in range(1500)]

    receipts = dispatcher.send(fires)

    assert receipts == [Confirmed()] * 1500
    assert ids(taken(app)) == celery_ids(fires)


def test_a_message_is_what_apply_async_sends(app, dispatcher):
    fire = outgoing(args=[1], kwargs={"text": "für"}, time_limit=70.0, soft_time_limit=60.0)
    dispatcher.send([fire])
    [ours] = taken(app)

    app.tasks["demo.add"].apply_async(fire.message["args"], fire.message["kwargs"], **options_of(fire))
    [theirs] = taken(app)

    changing = dict.fromkeys(("delivery_tag", "priority"))
    assert ours.body == theirs.body
    assert ours.headers == theirs.headers
    assert {**ours.properties, **changing} == {**theirs.properties, **changing}


def test_the_highest_priority_comes_first_on_every_broker(app, dispatcher):
    low, middle, high = (outgoing(priority=priority) for priority in (0, 5, 9))
    dispatcher.send([low, middle, high])

    with app.connection_for_read() as connection, connection.channel() as channel:
        first = [channel.basic_get("celery", no_ack=True) for _ in range(3)]

    assert ids(first) == celery_ids([high, middle, low])


def test_what_cannot_be_serialised_is_unsendable_alone(app, dispatcher):
    receipts = dispatcher.send([outgoing(), outgoing(args=[object()]), outgoing()])

    assert [type(receipt) for receipt in receipts] == [Confirmed, Unsendable, Confirmed]
    assert len(taken(app)) == 2


def test_the_embedded_broker_knows_which_queues_exist(tmp_path):
    app = make_app(f"embedded:///{tmp_path}/broker.db")
    dispatcher, name = CeleryDispatcher(app), uuid.uuid4().hex
    fires = [outgoing(), outgoing(queue=name), outgoing()]

    before = dispatcher.send(fires)
    with app.connection_for_write() as connection:
        connection.default_channel.queue_declare(name)
    after = dispatcher.send(fires)

    assert before == [
        Confirmed(),
        Unroutable(f"queue `{name}` does not exist: start a worker that serves it"),
        Confirmed(),
    ]
    assert after == [Confirmed()] * 3
    dispatcher.close()
    app.close()


def test_redis_keeps_a_message_for_a_queue_that_nobody_has_declared_yet(redis_url):
    app = make_app(redis_url)
    dispatcher, name = CeleryDispatcher(app), uuid.uuid4().hex

    assert dispatcher.send([outgoing(queue=name)]) == [Confirmed()]

    assert len(taken(app, name)) == 1
    dispatcher.close()
    app.close()


def test_an_embedded_broker_that_cannot_be_opened_gives_a_reason(tmp_path):
    (tmp_path / "broker.db").write_text("this is no database, but long enough to be taken for one" * 50)
    dispatcher = CeleryDispatcher(make_app(f"embedded:///{tmp_path}/broker.db"))

    [receipt] = dispatcher.send([outgoing()])

    assert isinstance(receipt, Unconfirmed)
    assert "it is no broker file" in receipt.reason


@pytest.fixture
def proxied(redis_url: str, tcp_proxy: Any) -> Iterator[tuple[Proxy, CeleryDispatcher]]:
    proxy: Proxy = tcp_proxy(redis_url)
    dispatcher = CeleryDispatcher(
        make_app(proxy.url_for(redis_url)), confirm_timeout=1.0, connect_timeout=1.0
    )
    yield proxy, dispatcher
    dispatcher.close()


@pytest.mark.parametrize("fault", ["freeze", "cut"])
def test_a_redis_that_goes_away_leaves_everything_unconfirmed_and_then_it_goes_on(proxied, fault):
    proxy, dispatcher = proxied
    assert dispatcher.send([outgoing()]) == [Confirmed()]
    getattr(proxy, fault)()

    receipts = dispatcher.send([outgoing(), outgoing()])
    proxy.restore()

    assert {type(receipt) for receipt in receipts} == {Unconfirmed}
    eventually(lambda: dispatcher.send([outgoing()]) == [Confirmed()])


@pytest.mark.parametrize("fault", ["freeze", "cut"])
def test_a_redis_that_is_away_from_the_start_is_waited_for_a_bounded_time(proxied, fault):
    proxy, dispatcher = proxied
    getattr(proxy, fault)()

    [receipt] = dispatcher.send([outgoing()])

    assert isinstance(receipt, Unconfirmed)
    assert receipt.reason.startswith("cannot connect to redis://:**@127.0.0.1:")
