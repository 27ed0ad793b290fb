"""Brokers in trouble: alarmed, frozen, killed, asked too much; and queues in another form than ours."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from celery import Celery
from kombu import Connection

from fires import DATABASE, outgoing
from services import own_rabbitmq as private_rabbitmq
from stored import opened
from taskcfg import transport
from taskcfg.dispatch.publisher import CeleryDispatcher
from taskcfg.dispatch.standing_queues import StandingQueue, standing_queue
from taskcfg.spec.fires import Confirmed, Unconfirmed, Unsendable
from waiting import eventually
from workers import Project

MIB = 2**20
OwnRabbitmq = tuple[private_rabbitmq.Server, str]


def dispatcher_for(url: str, **options: Any) -> CeleryDispatcher:
    transport.register()
    app = Celery("demo", broker=url, set_as_current=False)
    return CeleryDispatcher(app, database=DATABASE, **{"connect_timeout": 4.0, **options})


@pytest.fixture(params=["embedded", "redis", "rabbitmq"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A broker of each kind in turn."""
    if request.param == "embedded":
        return f"embedded:///{tmp_path}/broker.db"
    found: str = request.getfixturevalue(f"{request.param}_url")
    return found


def test_a_message_that_is_too_large_or_none_at_all_is_unsendable_alone(url: str) -> None:
    dispatcher = dispatcher_for(url, largest=MIB)
    spoiled = [
        outgoing(args=["x" * MIB]),
        outgoing(args=[object()]),
        outgoing(priority="urgent"),
        outgoing(priority=300),
        outgoing(queue=["a", "list"]),
        outgoing(queue="q" * 300),
        outgoing(time_limit="long"),
        outgoing(args={"not": "a list"}),
        outgoing(task=None),
    ]
    fires = [each for one in spoiled for each in (outgoing(), one)]

    receipts = dispatcher.send([*fires, outgoing()])
    dispatcher.close()

    assert [type(receipt) for receipt in receipts] == [Confirmed, Unsendable] * len(spoiled) + [Confirmed]
    assert receipts[1].reason.startswith("its message has 1,048,")
    assert "`max_message_size` is 1,048,576" in receipts[1].reason


def test_a_message_of_20_mib_goes_out_where_it_may(url: str) -> None:
    dispatcher = dispatcher_for(url, largest=32 * MIB, confirm_timeout=60.0)

    receipts = dispatcher.send([outgoing(), outgoing(args=["x" * 20 * MIB]), outgoing()])
    dispatcher.close()

    assert receipts == [Confirmed()] * 3


def test_what_rabbitmq_refuses_for_good_is_unsendable_and_harms_no_other(rabbitmq_url: str) -> None:
    dispatcher = dispatcher_for(rabbitmq_url, confirm_timeout=60.0)
    giant = outgoing(args=["x" * 129 * MIB])  # RabbitMQ closes the channel above 128 MiB

    receipts = dispatcher.send([*(outgoing() for _ in range(20)), giant, *(outgoing() for _ in range(20))])
    dispatcher.close()

    assert [type(receipt) for receipt in receipts] == [Confirmed] * 20 + [Unsendable] + [Confirmed] * 20
    assert "larger than" in receipts[20].reason


@pytest.mark.parametrize("kind", ["memory", "disk"])
def test_an_alarmed_rabbitmq_is_bounded_by_the_timeout_says_so_and_goes_on(
    own_rabbitmq: OwnRabbitmq, kind: str
) -> None:
    server, url = own_rabbitmq
    dispatcher = dispatcher_for(url, confirm_timeout=2.0)
    assert dispatcher.send([outgoing()]) == [Confirmed()]
    server.alarm(kind)

    [blocked] = dispatcher.send([outgoing()])
    server.calm()

    assert isinstance(blocked, Unconfirmed)
    assert "within 2 s: it blocks who publishes, as it does when short of memory or disk" in blocked.reason
    eventually(lambda: dispatcher.send([outgoing()]) == [Confirmed()])
    dispatcher.close()


@pytest.mark.parametrize("trouble", ["freeze", "kill", "stop"])
def test_a_rabbitmq_in_trouble_is_bounded_by_the_timeout_and_goes_on_with_what_it_had(
    own_rabbitmq: OwnRabbitmq, trouble: str
) -> None:
    server, url = own_rabbitmq
    dispatcher = dispatcher_for(url, confirm_timeout=2.0)
    assert dispatcher.send([outgoing() for _ in range(100)]) == [Confirmed()] * 100
    getattr(server, trouble)()

    [unknown] = dispatcher.send([outgoing()])
    server.start()

    assert isinstance(unknown, Unconfirmed)
    eventually(lambda: dispatcher.send([outgoing()]) == [Confirmed()])
    dispatcher.close()
    with Connection(url) as connection, connection.channel() as channel:
        assert channel.queue_declare("celery", passive=True).message_count >= 101


# -- queues as they stand


@pytest.mark.parametrize(
    ("declared", "kind", "max_priority"),
    [
        ({}, "classic", 0),
        ({"x-max-priority": 9}, "classic", 9),
        ({"x-max-priority": 4, "x-message-ttl": 60_000}, "classic", 4),
        ({"x-max-length": 5, "x-overflow": "reject-publish"}, "classic", 0),
        ({"x-queue-type": "quorum", "x-delivery-limit": 3}, "quorum", 0),
        ({"x-queue-type": "stream"}, "stream", 0),
    ],
    ids=["plain", "nine", "four", "bounded", "quorum", "stream"],
)
def test_a_standing_queue_is_known_as_it_is(
    rabbitmq_url: str, queue_prefix: str, declared: dict[str, Any], kind: str, max_priority: int
) -> None:
    name = f"{queue_prefix}q"
    with Connection(rabbitmq_url) as connection, connection.channel() as channel:
        channel.queue_declare(name, durable=True, auto_delete=False, arguments=declared)

        found = standing_queue(connection, name)
        channel.queue_delete(name)

        assert found == StandingQueue(name, kind, max_priority)
        assert standing_queue(connection, name) is None  # looking made none
        assert standing_queue(connection, name) is None


@pytest.fixture
def project_on(tmp_path: Path, sqlite_url: str) -> Iterator[Callable[[str], Project]]:
    projects: list[Project] = []
    with opened(sqlite_url) as database:

        def make(broker_url: str) -> Project:
            projects.append(Project(tmp_path, database, sqlite_url, broker_url))
            projects[-1].configure(worker_heartbeat=0.3)
            return projects[-1]

        yield make
        for project in projects:
            project.close()


def test_a_worker_serves_quorum_queues_that_stand_from_its_start_and_from_later(
    project_on: Any, rabbitmq_url: str, queue_prefix: str
) -> None:
    quorum = {"durable": True, "auto_delete": False, "arguments": {"x-queue-type": "quorum"}}
    early, late = f"{queue_prefix}early", f"{queue_prefix}late"
    with Connection(rabbitmq_url) as connection, connection.channel() as channel:
        channel.queue_declare("celery", **quorum)
        channel.queue_declare(early, **quorum)
        channel.queue_declare(late, **quorum)
    project = project_on(rabbitmq_url)
    first, second = project.fire(), project.fire(queue=early)

    project.start_worker()
    project.publish(first, second)
    project.until(first, ["succeeded"])
    project.until(second, ["succeeded"])
    third = project.fire(queue=late)
    project.publish(third)
    project.until(third, ["succeeded"])

    assert "queue.accepted queue=celery kind=quorum" in project.log
    assert "Traceback" not in project.log


def test_an_unroutable_fire_says_why_and_goes_out_once_a_worker_serves_its_queue(
    project_on: Any, rabbitmq_url: str, queue_prefix: str
) -> None:
    project = project_on(rabbitmq_url)
    fire = project.fire(queue=f"{queue_prefix}later")
    project.publish(fire)
    before = project.world.event()

    project.start_worker()
    project.until(fire, ["succeeded"], relaying=True)

    assert (before.state, before.reason) == (
        "pending",
        f"queue `{queue_prefix}later` does not exist: start a worker that serves it",
    )
