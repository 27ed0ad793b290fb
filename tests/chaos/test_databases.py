"""The database dies, hangs, loses its connections or is locked; a scheduler is cut off from all the rest."""

import sqlite3
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from chaos.conftest import staged
from chaos.stage import EMBEDDED, PRODUCTION, SECOND, Stage, on, pause
from chaos.table import size
from services import postgres
from services.namespace import namespace
from services.proxy import proxy_for
from services.required import Missing

STORM = """
SELECT pg_terminate_backend(pid) FROM pg_stat_activity
WHERE datname = current_database() AND pid <> pg_backend_pid() AND random() < 0.4
"""


@pytest.fixture
def private_stage(
    request: pytest.FixtureRequest, tmp_path: Path, own_postgres: postgres.Server
) -> Iterator[Stage]:
    """A stage on PostgreSQL and RabbitMQ whose PostgreSQL server is its own."""
    with staged(request, tmp_path, PRODUCTION, own_postgres.url) as stage, ExitStack() as thawing:
        thawing.callback(own_postgres.thaw)
        yield stage


@pytest.mark.row("PostgreSQL killed and started again at once, ten times")
def test_a_database_that_restarts_again_and_again(
    private_stage: Stage, own_postgres: postgres.Server
) -> None:
    stage = private_stage
    stage.declare(10, "{every: 1s}", overlap="allow", params="{seconds: 0.3}")
    stage.worker()
    scheduler = stage.scheduler()
    stage.until(lambda books: len(books.events) > 20)

    for _ in range(size(3, 10)):
        own_postgres.restart("immediate")
        pause(stage.chance.uniform(0.5, 2))
    stage.stop_firing()
    books = stage.settled()

    assert scheduler.running
    stage.verdict(books)


@pytest.mark.row("PostgreSQL's backends terminated in a storm")
@on(PRODUCTION)
def test_connections_that_are_cut_in_a_storm(stage: Stage) -> None:
    stage.declare(10, "{every: 1s}", overlap="allow", params="{seconds: 0.3}")
    stage.worker()
    schedulers = [stage.scheduler() for _ in range(2)]
    stage.until(lambda books: len(books.events) > 20)

    ended, until = 0, time.monotonic() + size(4, 60)
    while time.monotonic() < until:
        ended += len(postgres.execute(stage.database_url, STORM))
        pause(stage.chance.uniform(0.02, 0.2))
    stage.stop_firing()
    books = stage.settled()

    assert ended > 10
    assert all(each.running for each in schedulers)
    stage.verdict(books)


@pytest.mark.row("PostgreSQL frozen, and gone on")
def test_a_database_that_hangs(private_stage: Stage, own_postgres: postgres.Server) -> None:
    stage = private_stage
    stage.declare(10, "{every: 1s}", overlap="allow", params="{seconds: 0.3}")
    stage.worker()
    stage.scheduler()
    stage.until(lambda books: len(books.events) > 20)

    own_postgres.freeze()
    pause(size(6, 60))
    own_postgres.thaw()
    stage.until(lambda books: len(books.events) > 60)
    stage.stop_firing()

    stage.verdict(stage.settled())


@pytest.mark.row("SQLite's file locked by another process for seconds")
@on(EMBEDDED)
def test_a_database_file_that_others_hold_locked(stage: Stage) -> None:
    stage.declare(10, "{every: 1s}", overlap="allow", params="{seconds: 0.3}")
    stage.worker()
    stage.scheduler()
    stage.until(lambda books: len(books.events) > 20)

    file = stage.database_url.removeprefix("sqlite:///")
    for seconds in (1, 3, *([20] if size(0, 1) else [])):
        with closing(sqlite3.connect(file, timeout=30, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            pause(seconds)
            other.rollback()
        pause(1)
    stage.stop_firing()

    stage.verdict(stage.settled())


@pytest.mark.row("one of two schedulers cut off, in a network namespace", may_be_missing=True)
@on(PRODUCTION)
def test_a_scheduler_whose_cable_is_pulled(stage: Stage) -> None:
    with ExitStack() as stack:
        try:
            there = stack.enter_context(namespace())
        except Missing as missing:
            pytest.skip(f"needs a network namespace ({missing})")
        proxies = {}
        for name in ("TASKCFG_DATABASE_URL", "TASKCFG_BROKER_URL"):
            proxies[name] = proxy_for(stage.env[name], at=there.gateway)
            stack.callback(proxies[name].close)
        env = {name: proxy.url_for(stage.env[name]) for name, proxy in proxies.items()}
        assert all(urlsplit(url).hostname == there.gateway for url in env.values())
        stage.declare(20, "{every: 1s}", overlap="allow")
        stage.worker()
        stage.scheduler()
        remote = stage.scheduler(env=env, under=there.inside())
        stage.until(lambda books: len({event.node for event in books.events}) > 1)

        for _ in range(size(1, 3)):
            there.pull()
            pause(size(6, 60))
            there.plug()
            pause(size(3, 20))
        stage.stop_firing()
        books = stage.settled(timeout=120)

        assert remote.running
        stage.verdict(books, interval=SECOND)
