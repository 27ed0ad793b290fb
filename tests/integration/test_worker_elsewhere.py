"""The same workers on SQLite, on the embedded broker and on Redis, and with a database that goes away."""

import os
import signal
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path

import pytest

from services.postgres import Server
from services.proxy import Proxy
from stored import opened
from taskcfg.spec.policy import Policy
from waiting import eventually
from workers import Project


@pytest.fixture(params=["embedded", "redis"])
def project(request: pytest.FixtureRequest, tmp_path: Path, sqlite_url: str) -> Iterator[Project]:
    """SQLite and, in turn, the embedded broker and Redis."""
    embedded = f"embedded:///{tmp_path}/broker.db"
    broker_url = embedded if request.param == "embedded" else request.getfixturevalue("redis_url")
    with opened(sqlite_url) as database:
        project = Project(tmp_path, database, sqlite_url, broker_url)
        yield project
        project.close()


def test_every_fire_is_run_once_however_often_it_is_published(project):
    project.start_worker(concurrency=2)
    fires = [project.fire() for _ in range(10)]
    project.publish(*fires, *fires, *fires)

    for fire in fires:
        project.until(fire, ["succeeded"])
    eventually(lambda: project.log.count("execution.refused") == 20)

    assert len([line for line in project.lines() if line.startswith("begin")]) == 10


def test_a_killed_pool_process_loses_its_attempt_and_the_fire_is_dispatched_anew(project):
    project.start_worker()
    fire = project.fire(seconds=2.0)
    project.publish(fire)
    os.kill(project.running_pid(), signal.SIGKILL)

    rows = project.until(fire, ["lost", "succeeded"], relaying=True)

    assert [row.dispatch_no for row in rows] == [1, 2]


def test_a_killed_worker_is_dead_when_its_lease_is_over(project):
    project.configure(worker_heartbeat=0.2, worker_lease=1.0)
    worker = project.start_worker()
    fire = project.fire(seconds=60.0)
    project.publish(fire)
    project.running_pid()

    worker.kill()
    worker.wait()

    eventually(lambda: not project.boots()[0].alive)
    assert project.states(fire) == ["running"]  # the reaper's to find


@pytest.mark.parametrize("pool", ["threads", "solo"])
def test_other_pools_record_their_attempts_too(project, pool):
    project.start_worker(pool=pool)
    good, bad = project.fire(), project.fire(how="badly")
    project.publish(good, bad)

    [row] = project.until(good, ["succeeded"])
    project.until(bad, ["failed"])

    assert row.boot_id == project.boots()[0].id


# -- a database or a broker that goes away


@pytest.fixture
def fragile(tmp_path: Path, own_postgres: Server, rabbitmq_url: str) -> Iterator[Project]:
    """A PostgreSQL of the test's own, to be stopped and started."""
    with ExitStack() as stack:
        database = stack.enter_context(opened(own_postgres.url))
        project = Project(tmp_path, database, own_postgres.url, rabbitmq_url)
        stack.callback(project.close)
        yield project


def test_a_worker_waits_for_its_database_before_a_body_and_for_its_end(fragile, own_postgres):
    fragile.configure(worker_heartbeat=0.5)
    fragile.start_worker()
    ending, beginning = fragile.fire(seconds=2.0), fragile.fire()
    fragile.publish(ending, beginning)
    fragile.running_pid()
    own_postgres.stop("immediate")
    fragile.until_line(lambda line: line.startswith(f"end {ending.task}"))
    eventually(lambda: "the worker waits for it" in fragile.log)

    own_postgres.start()

    fragile.until(ending, ["succeeded"])
    fragile.until(beginning, ["succeeded"])
    eventually(lambda: fragile.boots()[0].alive)
    assert fragile.log.count("the worker waits for it") == 1


def test_a_worker_that_starts_without_a_database_waits_for_it(fragile, own_postgres):
    own_postgres.stop()
    fragile.start_worker(ready=False)
    eventually(lambda: "database.unavailable" in fragile.log)

    own_postgres.start()
    fire = fragile.fire()
    fragile.publish(fire)

    fragile.until(fire, ["succeeded"])


def test_a_worker_with_the_wrong_schema_says_so_and_ends(tmp_path, sqlite_url, postgres_url):
    with opened(sqlite_url) as database:
        project = Project(tmp_path, database, sqlite_url, f"embedded:///{tmp_path}/broker.db")
        project.configure(database_url=postgres_url)
        worker = project.start_worker(ready=False)

        assert worker.wait(30) == 1
        assert "SchemaMismatch" in project.log
        project.close()


def test_a_worker_finds_its_broker_again(tmp_path, sqlite_url, rabbitmq_url, tcp_proxy):
    proxy: Proxy = tcp_proxy(rabbitmq_url)
    with opened(sqlite_url) as database:
        project = Project(tmp_path, database, sqlite_url, rabbitmq_url)
        project.configure(broker_url=proxy.url_for(rabbitmq_url))
        project.start_worker()
        fire = project.fire(seconds=1.5)
        project.publish(fire)
        project.running_pid()

        proxy.cut()
        project.until(fire, ["succeeded"])
        proxy.restore()
        after = project.fire(policy=Policy(timeout=timedelta(minutes=1)))
        project.publish(after)
        project.until(after, ["succeeded"])

        assert project.states(fire) == ["succeeded"]  # its message came back, and was refused
        project.close()
