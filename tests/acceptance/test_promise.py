"""Never lost, never doubled: schedulers share the work and its leftovers, and wait for what is away.

What happens when they are killed, frozen and misled is in tests/chaos.
"""

import time
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from acceptance.ledger import WORK, Ledger, read_ledger
from acceptance.project import Background, Project
from services.proxy import Proxy
from waiting import eventually

SECOND = timedelta(seconds=1)


@pytest.fixture
def work(production: Project) -> Project:
    """A project on PostgreSQL and RabbitMQ with the type `work`, and leases short enough for a test."""
    return prepare(production)


def prepare(project: Project) -> Project:
    project.write("taskcfg.toml", 'types = ["work"]\n')
    project.write("work.py", WORK)
    project.env |= {
        "LEDGER": str(project.folder / "ledger"),
        "TASKCFG_WORKER_HEARTBEAT": "0.5s",
        "TASKCFG_WORKER_LEASE": "4s",
    }
    project.ok("db", "upgrade")
    return project


def declare(project: Project, tasks: int, schedule: str, **fields: Any) -> None:
    extra = "".join(f"    {name}: {value}\n" for name, value in fields.items())
    text = "tasks:\n" + "".join(
        f"  t{number:04d}:\n    type: work\n    schedule: {schedule}\n{extra}" for number in range(tasks)
    )
    project.write("tasks.d/work.yaml", text)
    project.ok("apply", "--yes")


def ledger(project: Project) -> Ledger:
    return read_ledger(project.env["TASKCFG_DATABASE_URL"], project.folder / "ledger")


def stop_firing(project: Project) -> None:
    """Let no further fire come due; what is recorded still goes out, since an edit cancels nothing."""
    project.write("tasks.d/work.yaml", project.read("tasks.d/work.yaml").replace("{every: 1s}", "manual"))
    project.ok("apply", "--yes")


def settled(project: Project, timeout: float = 90) -> Ledger:
    """Wait until every recorded fire has ended, and return the books."""

    def books() -> Ledger | None:
        found = ledger(project)
        return None if found.unfinished() or not found.events else found

    return eventually(
        books, timeout=timeout, interval=0.5, message=lambda: str(ledger(project).unfinished()[:5])
    )


def worker(project: Project) -> Background:
    background = project.start("worker", "--concurrency", "4")
    background.wait_for("ready")
    return background


def test_two_schedulers_share_the_work(work: Project) -> None:
    declare(work, 5, "{every: 1s}", overlap="allow")
    first, second = work.start("scheduler"), work.start("scheduler")
    first.wait_for("scheduler.started")
    second.wait_for("scheduler.started")
    worker(work)

    eventually(lambda: len(ledger(work).events) > 110, timeout=90, interval=1)
    shares = Counter(event.node for event in ledger(work).events if event.state in ("published", "done"))

    assert len(shares) == 2
    assert min(shares.values()) >= sum(shares.values()) / 5, shares


def test_the_fires_of_a_killed_scheduler_go_out_through_the_other(
    work: Project, tcp_proxy: Callable[[str], Proxy]
) -> None:
    broker = tcp_proxy(work.env["TASKCFG_BROKER_URL"])
    cut_off = work.start(
        "scheduler", env={"TASKCFG_BROKER_URL": broker.url_for(work.env["TASKCFG_BROKER_URL"])}
    )
    cut_off.wait_for("scheduler.started")
    broker.cut()
    due = datetime.now(UTC) + timedelta(seconds=3)
    declare(work, 50, f"{{at: '{due.isoformat()}'}}")
    eventually(lambda: len(ledger(work).events) == 50)
    assert {event.state for event in ledger(work).events} == {"pending"}

    work.start("scheduler").wait_for("scheduler.started")
    cut_off.kill()
    worker(work)

    assert Counter(event.executions for event in settled(work).events) == {("succeeded",): 50}


def test_a_database_that_is_away_for_a_while_is_waited_for_and_nothing_is_lost(
    work: Project, tcp_proxy: Callable[[str], Proxy]
) -> None:
    away = "TASKCFG_DATABASE_URL"
    direct = dict(work.env)
    proxy = tcp_proxy(work.env[away])
    declare(work, 10, "{every: 1s}", overlap="allow")
    through = {away: proxy.url_for(work.env[away])}
    scheduler = work.start("scheduler", env=through)
    scheduler.wait_for("scheduler.started")
    hand = work.start("worker", "--concurrency", "2", env=through, traceback_ok=True)
    hand.wait_for("ready")
    eventually(lambda: len(ledger(work).lines) > 20)

    proxy.cut()
    scheduler.wait_for("unavailable")
    pause(4)
    proxy.restore()
    scheduler.wait_for("recovered")
    seen = len(ledger(work).lines)
    eventually(lambda: len(ledger(work).lines) > seen + 40)
    work.env = direct
    stop_firing(work)
    books = settled(work)

    assert scheduler.running
    assert hand.running
    assert scheduler.err.count(".unavailable") == scheduler.err.count(".recovered") == 1
    assert books.gaps() == []
    assert books.doubles() == []
    assert books.without_success() == []


def pause(seconds: float) -> None:
    """Let time pass: the tests here are about *when*, and there is nothing to wait for."""
    time.sleep(seconds)
