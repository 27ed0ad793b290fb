"""The database's clock is set by an hour under schedulers and workers: nothing lost, nothing doubled."""

import signal
import time
from collections import Counter
from collections.abc import Callable
from datetime import timedelta

import pytest

from acceptance.ledger import WORK, Ledger, read_ledger
from acceptance.project import Background, Project
from database_clock import PostgresClock
from waiting import eventually

HOUR = timedelta(hours=1)
BODY = 12.0
"""Seconds the long task works: longer than a lease, so that what takes it for dead is seen."""


@pytest.fixture
def work(production: Project) -> Project:
    production.write("taskcfg.toml", 'types = ["work"]\nworker_heartbeat = "2s"\nworker_lease = "8s"\n')
    production.write("work.py", WORK)
    production.write(
        "tasks.d/work.yaml",
        "tasks:\n"
        "  often: {type: work, schedule: {every: 1s}, overlap: allow}\n"
        "  long: {type: work, schedule: manual, retry: {attempts: 2}, timeout: 10m,"
        f" params: {{seconds: {BODY}}}}}\n",
    )
    production.env["LEDGER"] = str(production.folder / "ledger")
    production.ok("db", "upgrade")
    production.ok("apply", "--yes")
    return production


@pytest.fixture
def clock(work: Project) -> PostgresClock:
    return PostgresClock(work.env["TASKCFG_DATABASE_URL"])


def ledger(project: Project) -> Ledger:
    return read_ledger(project.env["TASKCFG_DATABASE_URL"], project.folder / "ledger")


def running(project: Project, name: str) -> bool:
    return ("began", name) in [line[:2] for line in ledger(project).lines]


def started(project: Project, number: int) -> list[Background]:
    schedulers = [project.start("scheduler") for _ in range(number)]
    for scheduler in schedulers:
        scheduler.wait_for("scheduler.started")
    return schedulers


def attempts(project: Project, name: str) -> list[tuple[str, ...]]:
    return [event.executions for event in ledger(project).events if event.task == name]


@pytest.mark.parametrize("moved", [HOUR, -HOUR], ids=["forward", "back"])
def test_running_attempts_are_not_lost_and_firing_goes_on_after_some_seconds(
    work: Project, clock: PostgresClock, moved: timedelta
) -> None:
    schedulers = started(work, 2)
    work.start("worker", "--concurrency", "4").wait_for("ready")
    work.ok("run", "long")
    eventually(lambda: running(work, "long"))

    clock.set(moved)
    for scheduler in schedulers:
        scheduler.wait_for("clock.jumped")
    late = work.start("scheduler")  # one that never saw the clock as it was
    for scheduler in (*schedulers, late):
        scheduler.wait_for("clock.agrees" if scheduler is not late else "scheduler.started")
    eventually(lambda: attempts(work, "long") == [("succeeded",)], timeout=90)
    books = settled(work)

    assert books.doubles() == []
    assert books.gaps() == []
    assert "lost" not in Counter(state for event in books.events for state in event.executions)
    assert [s.err.count("clock.jumped") for s in schedulers] == [1, 1]


def test_a_scheduler_that_slept_through_the_jump_takes_nobody_for_dead(
    work: Project, clock: PostgresClock, freeze: Callable[[Background, float], None]
) -> None:
    (scheduler,) = started(work, 1)
    work.start("worker", "--concurrency", "4").wait_for("ready")
    work.ok("run", "long")
    eventually(lambda: running(work, "long"))

    clock.set(HOUR)
    freeze(scheduler, 4)
    scheduler.wait_for("clock.agrees")
    eventually(lambda: attempts(work, "long") == [("succeeded",)], timeout=90)

    assert "lost" not in {state for event in ledger(work).events for state in event.executions}


@pytest.fixture
def freeze() -> Callable[[Background, float], None]:
    def stand_still(process: Background, seconds: float) -> None:
        process.send(signal.SIGSTOP)
        pause(seconds)
        process.send(signal.SIGCONT)

    return stand_still


def settled(project: Project) -> Ledger:
    project.write("tasks.d/work.yaml", project.read("tasks.d/work.yaml").replace("{every: 1s}", "manual"))
    project.ok("apply", "--yes")

    def books() -> Ledger | None:
        found = ledger(project)
        return None if found.unfinished() else found

    return eventually(books, timeout=90, interval=0.5, message=lambda: str(ledger(project).unfinished()[:5]))


def pause(seconds: float) -> None:
    """Let time pass: the tests here are about *when*, and there is nothing to wait for."""
    time.sleep(seconds)
