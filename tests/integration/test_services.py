"""The services that tests stand on keep their own promises."""

import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import psycopg2
import pytest
import redis
from kombu import Connection

from services import children, postgres, rabbitmq
from services import own_rabbitmq as private_rabbitmq
from services.proxy import Proxy
from services.required import not_run, required
from waiting import eventually

OwnRabbitmq = tuple[private_rabbitmq.Server, str]


def test_each_test_gets_an_empty_postgresql_database(postgres_url: str) -> None:
    postgres.execute(postgres_url, "CREATE TABLE left_behind (id int)")

    tables = postgres.execute(postgres_url, "SELECT tablename FROM pg_tables WHERE schemaname = 'public'")

    assert tables == [("left_behind",)]


def test_a_database_is_dropped_even_while_somebody_is_connected(postgres_server: str) -> None:
    with postgres.fresh_database(postgres_server) as url:
        connection = postgres.connect(url)

    with pytest.raises(psycopg2.Error), connection.cursor() as cursor:
        cursor.execute("SELECT 1")
    connection.close()


def test_a_database_url_is_one_of_both_kinds(database_url: str) -> None:
    assert database_url.split("+")[0].split(":")[0] in {"sqlite", "postgresql"}


@pytest.mark.parametrize("mode", ["fast", "immediate", "kill"])
def test_a_private_postgresql_comes_back_with_its_data(own_postgres: postgres.Server, mode: str) -> None:
    postgres.execute(own_postgres.url, "CREATE TABLE kept AS SELECT 1 AS id")

    own_postgres.stop(mode)
    with pytest.raises(psycopg2.OperationalError):
        postgres.connect(own_postgres.url)
    own_postgres.start()

    assert postgres.execute(own_postgres.url, "SELECT id FROM kept") == [(1,)]


def test_each_test_gets_a_rabbitmq_without_queues(rabbitmq_url: str, queue_prefix: str) -> None:
    with Connection(rabbitmq_url) as connection, connection.SimpleQueue(queue_prefix + "jobs") as queue:
        queue.put("one")

        assert queue.get(timeout=10).payload == "one"


@pytest.mark.parametrize("end", ["stop", "kill"])
def test_a_private_rabbitmq_comes_back_with_what_was_confirmed(own_rabbitmq: OwnRabbitmq, end: str) -> None:
    server, url = own_rabbitmq
    confirming = {"confirm_publish": True}
    with Connection(url, transport_options=confirming) as connection, connection.SimpleQueue("kept") as queue:
        queue.put("one", delivery_mode=2)

    getattr(server, end)()
    assert rabbitmq.answers(url)
    server.start()

    with Connection(url) as connection, connection.SimpleQueue("kept") as queue:
        assert queue.get(timeout=30).payload == "one"


def test_a_frozen_private_rabbitmq_answers_nobody_until_it_is_thawed(own_rabbitmq: OwnRabbitmq) -> None:
    server, url = own_rabbitmq

    server.freeze()
    frozen = rabbitmq.answers(url)
    server.thaw()

    assert frozen
    eventually(lambda: rabbitmq.answers(url) is None)


@pytest.mark.parametrize("kind", ["memory", "disk"])
def test_an_alarm_blocks_who_publishes_until_it_ends(own_rabbitmq: OwnRabbitmq, kind: str) -> None:
    server, url = own_rabbitmq
    told: list[str] = []
    heard = {"on_blocked": told.append, "on_unblocked": lambda: told.append("unblocked")}
    with Connection(url, transport_options=heard) as connection, connection.SimpleQueue("jobs") as queue:
        server.alarm(kind)
        queue.put("one")
        eventually(lambda: drained(connection) or told)
        server.calm()
        eventually(lambda: drained(connection) or len(told) == 2)

    assert told[0] != "unblocked"
    assert told[1] == "unblocked"


def drained(connection: Connection) -> None:
    """Read what the broker has to say for a moment."""
    with suppress(TimeoutError):
        connection.drain_events(timeout=0.2)


def test_each_test_gets_an_empty_redis(redis_url: str) -> None:
    with redis.Redis.from_url(redis_url) as client:
        assert client.dbsize() == 0
        client.set("left", "behind")


def test_a_proxy_passes_everything_until_it_is_cut(redis_url: str, tcp_proxy: Callable[[str], Proxy]) -> None:
    proxy = tcp_proxy(redis_url)
    with redis.Redis.from_url(proxy.url_for(redis_url), socket_timeout=10) as client:
        client.set("a", "b")
        proxy.cut()

        with pytest.raises(redis.ConnectionError):
            client.get("a")

        proxy.restore()
        assert client.get("a") == b"b"


def test_a_frozen_proxy_accepts_and_says_nothing(redis_url: str, tcp_proxy: Callable[[str], Proxy]) -> None:
    proxy = tcp_proxy(redis_url)
    proxy.freeze()

    with socket.create_connection((proxy.host, proxy.port)) as client:
        client.sendall(b"PING\r\n")
        client.settimeout(0.2)
        with pytest.raises(TimeoutError):
            client.recv(100)

        proxy.restore()
        client.settimeout(10)
        assert client.recv(100) == b"+PONG\r\n"


def test_a_child_ends_when_the_tests_are_killed(tmp_path: Path) -> None:
    pid_file = tmp_path / "pid"
    program = (
        "import pathlib, time\n"
        "from services import children\n"
        f"child = children.start(['sleep', '600'], log=pathlib.Path({str(tmp_path / 'log')!r}), cwd='/')\n"
        f"pathlib.Path({str(pid_file)!r}).write_text(str(child.pid))\n"
        "time.sleep(600)\n"
    )
    tests = Path(__file__).parents[1]
    parent = subprocess.Popen([sys.executable, "-c", program], env={"PYTHONPATH": str(tests)})
    eventually(lambda: pid_file.exists() and pid_file.read_text())
    child = int(pid_file.read_text())

    parent.send_signal(signal.SIGKILL)
    parent.wait()

    eventually(lambda: not children.alive(child), message="the child outlived its parent")


def test_missing_services_are_counted_by_service() -> None:
    reasons = [
        "needs RabbitMQ (no broker)",
        "needs RabbitMQ (no broker)",
        "needs Redis (none)",
        "another reason",
    ]

    assert not_run(reasons) == [
        "not run: 2 tests need RabbitMQ (no broker)",
        "not run: 1 test needs Redis (none)",
    ]


def test_an_unknown_service_cannot_be_required(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TASKCFG_TEST_REQUIRE", "postgres,rabitmq")

    with pytest.raises(pytest.UsageError, match="rabitmq"):
        required()
