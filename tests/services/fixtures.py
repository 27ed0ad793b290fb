"""The fixtures that hand services to tests: servers for the session, what is in them for one test."""

import itertools
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from services import faketime as fake_clocks
from services import own_rabbitmq as private_rabbitmq
from services import postgres, rabbitmq, redis
from services.proxy import Proxy, proxy_for
from services.required import not_run, required, resolve_or_skip

NEEDS = {
    "postgres_url": "postgres",
    "own_postgres": "postgres",
    "rabbitmq_url": "rabbitmq",
    "own_rabbitmq": "rabbitmq",
    "redis_url": "redis",
}


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[str]:
    """The URL of a PostgreSQL server in which databases may be created; tests want `postgres_url`."""
    with ExitStack() as stack:
        yield resolve_or_skip("postgres", lambda: stack.enter_context(postgres.any_server()))


@pytest.fixture
def postgres_url(postgres_server: str) -> Iterator[str]:
    """A fresh, empty PostgreSQL database, as SQLAlchemy's URL; dropped afterwards."""
    with postgres.fresh_database(postgres_server) as url:
        yield url


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    """A SQLite database file that does not exist yet, as SQLAlchemy's URL."""
    return f"sqlite:///{tmp_path / 'taskcfg.db'}"


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def database_url(request: pytest.FixtureRequest) -> str:
    """An empty database; the test runs once on SQLite and once on PostgreSQL."""
    url: str = request.getfixturevalue(f"{request.param}_url")
    return url


@pytest.fixture
def own_postgres() -> Iterator[postgres.Server]:
    """A private PostgreSQL server that this test may stop, kill and start again on the same port."""
    with ExitStack() as stack:
        yield resolve_or_skip("postgres", lambda: stack.enter_context(postgres.own_server()))


@pytest.fixture
def fake_time() -> Iterator[Callable[..., fake_clocks.FakeTime]]:
    """`fake_time(offset)` makes a wrong clock, to be laid over processes by its `env`."""
    library = resolve_or_skip("faketime", fake_clocks.library)
    numbers = itertools.count()
    # a server that runs as another user reads its clock, too: pytest's own folders are closed to others
    with TemporaryDirectory(prefix="taskcfg-clock-") as folder:
        Path(folder).chmod(0o755)

        def make(offset: timedelta = timedelta(0)) -> fake_clocks.FakeTime:
            return fake_clocks.FakeTime(library, Path(folder) / f"clock-{next(numbers)}", offset)

        yield make


@pytest.fixture(scope="session")
def rabbitmq_broker() -> Iterator[rabbitmq.Broker]:
    """The RabbitMQ server; tests want `rabbitmq_url`."""
    with ExitStack() as stack:
        yield resolve_or_skip("rabbitmq", lambda: stack.enter_context(rabbitmq.any_broker()))


@pytest.fixture
def rabbitmq_url(rabbitmq_broker: rabbitmq.Broker) -> Iterator[str]:
    """RabbitMQ for this test alone: a fresh vhost where `rabbitmqctl` may make one.

    Where it may not, the vhost is shared with other runs, and only the default
    queue `celery` is deleted before and after: name every other queue with
    `queue_prefix`, which is right in both cases.
    """
    with rabbitmq_broker.isolated() as url:
        yield url


@pytest.fixture(scope="session")
def rabbitmq_node() -> Iterator[private_rabbitmq.Server]:
    """A private RabbitMQ node; tests want `own_rabbitmq`."""
    with ExitStack() as stack:
        yield resolve_or_skip("rabbitmq", lambda: stack.enter_context(private_rabbitmq.own_server()))


@pytest.fixture
def own_rabbitmq(rabbitmq_node: private_rabbitmq.Server) -> tuple[private_rabbitmq.Server, str]:
    """A RabbitMQ node that this test may stop, kill, freeze and alarm, and the URL of a vhost in it.

    The node is shared by the tests of one process, one after the other: its start costs seconds.
    """
    return rabbitmq_node, rabbitmq_node.fresh_url()


@pytest.fixture
def queue_prefix() -> str:
    """A prefix for queue names that no other test and no other run uses."""
    return f"test-{uuid.uuid4().hex[:8]}-"


@pytest.fixture(scope="session")
def redis_server() -> Iterator[str]:
    """The URL of a Redis database that may be flushed; tests want `redis_url`."""
    with ExitStack() as stack:
        yield resolve_or_skip("redis", lambda: stack.enter_context(redis.any_server()))


@pytest.fixture
def redis_url(redis_server: str) -> Iterator[str]:
    """An empty Redis database; flushed before and after the test."""
    redis.flush(redis_server)
    yield redis_server
    redis.flush(redis_server)


@pytest.fixture
def tcp_proxy() -> Iterator[Callable[[str], Proxy]]:
    """`tcp_proxy(url)` starts a proxy to that service; its `.url_for(url)` leads through it."""
    with ExitStack() as stack:

        def start(url: str) -> Proxy:
            proxy = proxy_for(url)
            stack.callback(proxy.close)
            return proxy

        yield start


def pytest_configure(config: pytest.Config) -> None:
    """Check what is required before anything runs."""
    required()


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark each test with the services its fixtures stand for, so that `-m 'not rabbitmq'` selects."""
    for item in items:
        for name in getattr(item, "fixturenames", ()):
            if name in NEEDS:
                item.add_marker(NEEDS[name])


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say at the end what could not be run, and why."""
    skipped = terminalreporter.stats.get("skipped", [])
    reasons = [report.longrepr[2].removeprefix("Skipped: ") for report in skipped]
    for line in not_run(reasons):
        terminalreporter.write_line(line, yellow=True)
