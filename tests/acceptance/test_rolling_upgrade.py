"""Two versions on one database: who may go on, and what an upgrade refuses."""

import signal

import pytest

from acceptance.ledger import WORK, read_ledger
from acceptance.project import Background, Project
from next_version import NEXT, VERSION, next_version

TASKS = "tasks: {tick: {type: work, schedule: {every: 1s}, overlap: allow}}\n"


@pytest.fixture
def ticking(project: Project, database_url: str) -> Project:
    project.env |= {
        "TASKCFG_DATABASE_URL": database_url,
        "LEDGER": str(project.folder / "ledger.txt"),
    }
    project.write("taskcfg.toml", 'types = ["work_types"]\n')
    project.write("work_types.py", WORK)
    project.write("tasks.d/tick.yaml", TASKS)
    project.ok("db", "upgrade")
    project.ok("apply", "--yes")
    return project


def start_both(project: Project) -> list[Background]:
    return [project.start("worker", "--concurrency", "1"), project.start("scheduler")]


def succeeded(project: Project, url: str) -> int:
    return sum("succeeded" in event.executions for event in read_ledger(url).events)


def wait_for_more(project: Project, url: str, by: Background) -> None:
    before = succeeded(project, url)
    by.wait_for(lambda: succeeded(project, url) >= before + 3)


def test_two_versions_fire_together_and_nothing_is_lost_or_doubled(
    ticking: Project, database_url: str
) -> None:
    old = start_both(ticking)
    wait_for_more(ticking, database_url, old[1])

    ticking.env |= next_version(ticking.folder, additive=True)
    upgraded = ticking.ok("db", "upgrade")
    new = start_both(ticking)
    new[1].wait_for("scheduler.started")
    wait_for_more(ticking, database_url, old[1])
    still_there = [each.running for each in old]
    together = ticking.run("doctor").out
    for each in reversed(old):
        each.stop(signal.SIGTERM)
    wait_for_more(ticking, database_url, new[1])
    for each in reversed(new):
        each.stop(signal.SIGTERM)

    ledger = read_ledger(database_url, ticking.folder / "ledger.txt")
    assert NEXT in upgraded.out
    assert still_there == [True, True]
    assert f"{VERSION}, " in together or f", {VERSION}" in together
    assert (ledger.gaps(), ledger.doubles(), ledger.contradictions()) == ([], [], [])


def test_a_step_that_is_not_additive_waits_for_the_living(ticking: Project, database_url: str) -> None:
    scheduler = ticking.start("scheduler")
    scheduler.wait_for("scheduler.started")
    of_before = dict(ticking.env)
    ticking.env |= next_version(ticking.folder, additive=False)

    refused = ticking.run("db", "upgrade")
    scheduler.stop(signal.SIGTERM)
    upgraded = ticking.ok("db", "upgrade")
    ticking.env.clear()
    ticking.env.update(of_before)
    too_old = ticking.run("list")

    assert refused.code == 5
    assert "breaks what is alive: scheduler " in refused.err
    assert "stop them" in refused.err
    assert NEXT in upgraded.out
    assert too_old.code == 1
    assert f"has schema {NEXT}, newer than this version's" in too_old.err
