"""Everything through PgBouncer in transaction mode: a connection lasts for one transaction."""

from collections.abc import Iterator
from contextlib import ExitStack
from datetime import timedelta

import pytest

from acceptance.project import Project
from acceptance.test_promise import declare, ledger, prepare, settled, stop_firing, worker
from services import postgres
from services.pgbouncer import pooled
from services.required import Missing
from waiting import eventually

SECOND = timedelta(seconds=1)
LISTENING = """
SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND query LIKE 'LISTEN%'
"""


@pytest.fixture
def behind(production: Project) -> Iterator[tuple[Project, str]]:
    """A project whose database is reached through PgBouncer, which has three connections to it; and the
    URL that leads to the server itself."""
    direct = production.env["TASKCFG_DATABASE_URL"]
    with ExitStack() as stack:
        try:
            through = stack.enter_context(pooled(direct))
        except Missing as missing:
            pytest.skip(f"needs PgBouncer ({missing})")
        production.env["TASKCFG_DATABASE_URL"] = through
        yield prepare(production), direct


def test_schedulers_workers_and_commands_work_through_three_connections(behind: tuple[Project, str]) -> None:
    project, _ = behind
    declare(project, 10, "{every: 1s}", overlap="allow", retry="{attempts: 2}")
    first, second = project.start("scheduler"), project.start("scheduler")
    worker(project)
    eventually(lambda: len(ledger(project).lines) > 60, timeout=60)

    second.kill()
    assert project.ok("plan").out.endswith("No changes. 10 tasks match the configuration.\n")
    project.ok("pause", "t0001", "--reason", "a look")
    project.ok("resume", "t0001")
    project.ok("run", "t0002", "--wait")
    project.ok("purge", "--keep", "1000", "--yes")
    stop_firing(project)
    books = settled(project)

    assert books.doubles() == []
    assert books.without_success() == []
    assert first.err.count("hints.none") == 1
    assert "unavailable" not in first.err


def test_without_a_way_around_it_nobody_listens_and_doctor_says_so(behind: tuple[Project, str]) -> None:
    project, direct = behind
    scheduler = project.start("scheduler")
    scheduler.wait_for("hints.none")

    ((listening,),) = postgres.execute(direct, LISTENING)
    checks = {each["check"]: each for each in project.run("doctor", "-o", "json").json["checks"]}

    assert listening == 0
    assert checks["hints"]["level"] == "warn"
    assert "pooler" in checks["hints"]["reason"]
    assert "database_direct_url" in checks["hints"]["hint"]


def test_with_a_way_around_it_a_change_is_heard_at_once(behind: tuple[Project, str]) -> None:
    project, direct = behind
    project.env["TASKCFG_DATABASE_DIRECT_URL"] = direct
    declare(project, 1, "manual")
    scheduler = project.start("scheduler")
    scheduler.wait_for("scheduler.started")

    eventually(lambda: postgres.execute(direct, LISTENING) == [(1,)])
    worker(project)
    project.ok("run", "t0000", "--wait")
    checks = {each["check"]: each for each in project.run("doctor", "-o", "json").json["checks"]}

    assert "hints.none" not in scheduler.err
    assert checks["hints"]["level"] == "ok"


def test_a_way_around_that_is_none_is_told(production: Project) -> None:
    prepare(production)
    production.env["TASKCFG_DATABASE_DIRECT_URL"] = "mysql://root@db/x"

    refused = production.run("scheduler", "--once")

    assert refused.code == 1
    assert "database_direct_url: `mysql` is not supported" in refused.err
