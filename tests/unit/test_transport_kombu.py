"""The transport as kombu uses it: URLs, routing, deliveries, errors."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable, Iterator
from pathlib import Path, PurePosixPath
from typing import Any

import pytest
from kombu import Connection, Consumer, Exchange, Producer, Queue
from kombu.exceptions import ChannelError, OperationalError
from kombu.transport import TRANSPORT_ALIASES

from taskcfg import transport
from taskcfg.transport.embedded import file_of

WORK = Queue("work", Exchange("work"), routing_key="work")

Connect = Callable[..., Connection]


@pytest.fixture
def connect(tmp_path: Path) -> Iterator[Connect]:
    transport.register()
    opened: list[Connection] = []

    def connect(**options: Any) -> Connection:
        url = transport.url_for(tmp_path / "broker.db")
        opened.append(Connection(url, transport_options={"polling_interval": 0.005, **options}))
        return opened[-1]

    yield connect
    for connection in opened:
        connection.release()


def publish(connection: Connection, body: Any, **options: Any) -> None:
    options = {"exchange": "work", "routing_key": "work", "declare": [WORK], "retry": False, **options}
    Producer(connection).publish(body, **options)


def collect(connection: Connection, queues: list[Queue], **options: Any) -> list[Any]:
    """Return the bodies that come until nothing comes any more; they are acknowledged."""
    bodies = []

    def note(body: Any, message: Any) -> None:
        bodies.append(body)
        if not options.get("no_ack"):
            message.ack()

    with Consumer(connection.channel(), queues, callbacks=[note], **options):
        while True:
            try:
                connection.drain_events(timeout=0.1)
            except TimeoutError:
                return bodies


def test_registering_again_changes_nothing() -> None:
    transport.register()
    transport.register()

    assert TRANSPORT_ALIASES["embedded"] == "taskcfg.transport.embedded:Transport"


@pytest.mark.parametrize(
    ("url", "path"),
    [
        ("embedded:///var/broker.db", "var/broker.db"),
        ("embedded:////srv/app/broker.db", "/srv/app/broker.db"),
        ("embedded:////a%20b/%23%3F%25.db", "/a b/#?%.db"),
    ],
)
def test_a_url_names_a_file(url: str, path: str) -> None:
    assert file_of(url, None) == Path(path)
    assert transport.url_for(PurePosixPath(path)) == url


@pytest.mark.parametrize("url", ["embedded://var/broker.db", "embedded:///", "embedded://"])
def test_a_url_that_names_no_file_is_refused(url: str) -> None:
    transport.register()

    with pytest.raises(ValueError, match="with three slashes"):
        Connection(url).connect()


def test_a_connection_and_its_copies_show_the_url_they_were_given(connect: Connect, tmp_path: Path) -> None:
    connection = connect()

    assert connection.as_uri() == connection.clone().as_uri() == f"embedded:///{tmp_path}/broker.db"
    assert connection.get_heartbeat_interval() == 0


@pytest.mark.parametrize(
    ("body", "serializer"),
    [
        ({"text": "Grüße\x00 \N{SNOWMAN}"}, "json"),
        ({"a": {1, 2}}, "pickle"),
        (b"\x00\xff", None),
        ("x" * 3_000_000, "json"),
    ],
)
def test_every_body_arrives_as_it_was_sent(connect: Connect, body: Any, serializer: str | None) -> None:
    connection = connect()
    publish(connection, body, serializer=serializer, headers={"id": "7"}, correlation_id="c")

    (message,) = [WORK(connection.channel()).get(accept=["json", "pickle", "application/data"])]

    assert message.payload == body
    assert (message.headers["id"], message.properties["correlation_id"]) == ("7", "c")


def test_compressed_bodies_arrive(connect: Connect) -> None:
    connection = connect()
    publish(connection, {"a": "b" * 1000}, compression="zlib")

    assert collect(connection, [WORK]) == [{"a": "b" * 1000}]


def test_what_one_process_binds_another_publishes_to(connect: Connect) -> None:
    consuming, publishing = connect(), connect()
    logs = Exchange("logs", "topic")
    errors = Queue("errors", logs, routing_key="*.error")
    everything = Queue("everything", logs, routing_key="#")
    for queue in (errors, everything):
        queue(consuming.channel()).declare()

    for key in ("web.error", "web.info"):
        publish(publishing, key, exchange="logs", routing_key=key, declare=[])

    assert collect(consuming, [errors]) == ["web.error"]
    assert collect(consuming, [everything]) == ["web.error", "web.info"]


def test_a_fanout_gives_everybody_a_copy(connect: Connect) -> None:
    connection = connect()
    control = Exchange("control", "fanout")
    inboxes = [Queue(f"inbox.{n}", control) for n in range(3)]
    for inbox in inboxes:
        inbox(connection.channel()).declare()

    publish(connect(), "stop", exchange=control, routing_key="", declare=[])

    assert [collect(connection, [inbox], no_ack=True) for inbox in inboxes] == [["stop"]] * 3


def test_nowhere_to_go_is_an_error_if_the_message_is_mandatory(connect: Connect) -> None:
    connection = connect()

    publish(connection, "dropped", declare=[WORK.exchange])
    with pytest.raises(ChannelError, match="NO_ROUTE"):
        publish(connection, "kept", declare=[WORK.exchange], mandatory=True)
    with pytest.raises(ChannelError, match="NO_ROUTE"):
        publish(connection, "kept", exchange="", routing_key="nowhere", declare=[], mandatory=True)
    publish(connection, "sent", mandatory=True)

    assert collect(connection, [WORK]) == ["sent"]


def test_messages_of_a_transaction_come_together_or_not_at_all(connect: Connect) -> None:
    connection = connect()
    channel = connection.channel()
    producer = Producer(channel)
    WORK(channel).declare()
    channel.tx_select()

    producer.publish("forgotten", exchange="work", routing_key="work")
    channel.tx_rollback()
    producer.publish("a", exchange="work", routing_key="work")
    producer.publish("b", exchange="work", routing_key="work")
    before = collect(connect(), [WORK])
    channel.tx_commit()

    assert (before, collect(connect(), [WORK])) == ([], ["a", "b"])


def test_declaring_an_exchange_as_something_else_is_refused(connect: Connect) -> None:
    Exchange("events", "topic")(connect().channel()).declare()

    with pytest.raises(ChannelError, match="events' is of type topic, not fanout"):
        Exchange("events", "fanout")(connect().channel()).declare()


def test_a_kind_of_exchange_that_is_not_supported_is_refused(connect: Connect) -> None:
    with pytest.raises(ChannelError, match="no exchanges of type headers"):
        Exchange("events", "headers")(connect().channel()).declare()


def test_a_passive_declaration_finds_only_what_is_there(connect: Connect) -> None:
    channel = connect().channel()

    with pytest.raises(ChannelError, match="NOT_FOUND"):
        channel.queue_declare("nobody", passive=True)
    with pytest.raises(ChannelError, match="NOT_FOUND"):
        channel.exchange_declare("nobody", passive=True)


def test_a_queue_tells_its_messages_and_its_consumers_and_can_be_emptied_and_deleted(
    connect: Connect,
) -> None:
    connection = connect()
    for n in range(3):
        publish(connection, n)
    other = connect()
    channel = other.channel()
    channel.basic_qos(0, 1, False)

    with Consumer(channel, [WORK], callbacks=[lambda body, message: None]):
        other.drain_events(timeout=5)
        declared = WORK(connection.channel()).queue_declare(passive=True)
        assert (declared.message_count, declared.consumer_count) == (2, 1)
        assert WORK(connection.channel()).purge() == 2
    other.release()
    assert collect(connection, [WORK]) == [0]
    WORK(connection.channel()).delete()
    assert not connection.transport.topology.has_queue("work")


def test_no_more_than_the_prefetch_count_is_handed_out_and_an_acknowledgement_lets_the_next_in(
    connect: Connect,
) -> None:
    connection = connect()
    for n in range(5):
        publish(connection, n)
    channel = connection.channel()
    channel.basic_qos(0, 2, False)
    got: list[Any] = []

    with Consumer(channel, [WORK], callbacks=[lambda body, message: got.append(message)]):
        connection.drain_events(timeout=5)
        connection.drain_events(timeout=5)
        with pytest.raises(TimeoutError):
            connection.drain_events(timeout=0.1)
        got[0].ack()
        connection.drain_events(timeout=5)

        assert [message.payload for message in got] == [0, 1, 2]


def test_a_waiting_consumer_is_woken_by_an_acknowledgement_from_another_thread(connect: Connect) -> None:
    connection = connect(polling_interval=600)
    publish(connection, "a")
    publish(connection, "b")
    channel = connection.channel()
    channel.basic_qos(0, 1, False)
    got: list[Any] = []

    with Consumer(channel, [WORK], callbacks=[lambda body, message: got.append(message)]):
        connection.drain_events(timeout=5)
        worker = threading.Timer(0.1, got[0].ack)
        worker.start()
        connection.drain_events(timeout=60)
        worker.join()

    assert [message.payload for message in got] == ["a", "b"]


def test_a_rejected_message_is_dropped_or_comes_again_marked_as_redelivered(connect: Connect) -> None:
    connection = connect()
    queue = WORK(connection.channel())
    for body in ("dropped", "again"):
        publish(connection, body)

    dropped, again = queue.get(), queue.get()
    dropped.reject()
    again.requeue()
    once_more = queue.get()

    assert once_more.payload == "again"
    assert (again.delivery_info["redelivered"], once_more.delivery_info["redelivered"]) == (False, True)
    assert queue.get() is None


def test_a_closed_connection_gives_back_what_it_did_not_finish(connect: Connect) -> None:
    connection = connect()
    for n in range(3):
        publish(connection, n)
    consumer = Consumer(connection.channel(), [WORK], callbacks=[lambda body, message: None])
    consumer.consume()
    connection.drain_events(timeout=5)

    connection.release()

    assert collect(connect(), [WORK]) == [0, 1, 2]


def test_a_connection_that_consumes_no_more_leaves_nothing_behind(connect: Connect) -> None:
    connection = connect()
    publish(connection, "a")
    before = threading.active_count()

    assert collect(connection, [WORK]) == ["a"]

    assert threading.active_count() == before
    with connection.transport.file.reading() as database:
        assert database.execute("SELECT count(*) FROM consumer").fetchone() == (0,)


def test_a_full_disk_reaches_the_publisher_as_an_operational_error_that_may_be_retried(
    connect: Connect,
) -> None:
    connection = connect(max_bytes=300_000)
    publish(connection, "small")

    with pytest.raises(sqlite3.OperationalError, match="database or disk is full") as raw:
        publish(connection, "x" * 500_000)
    with pytest.raises(OperationalError, match="database or disk is full"):
        publish(connection, "x" * 500_000, retry=True, retry_policy={"max_retries": 1})

    assert isinstance(raw.value, connection.connection_errors)
    assert collect(connection, [WORK]) == ["small"]


def test_a_consumer_whose_file_was_taken_away_is_told_and_can_connect_anew(
    connect: Connect, tmp_path: Path
) -> None:
    connection = connect()
    consumer = Consumer(connection.channel(), [WORK], callbacks=[lambda body, message: message.ack()])
    consumer.consume()
    (tmp_path / "broker.db").unlink()

    with pytest.raises(connection.connection_errors, match="moved or deleted"):
        connection.drain_events(timeout=30)

    assert not connection.connected
    publish(connection, "to the new file", retry=True)
    assert collect(connection, [WORK]) == ["to the new file"]
