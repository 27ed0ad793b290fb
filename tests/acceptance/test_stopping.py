"""Stopping: what runs is finished, what was fetched goes back, what is cut off is recorded as lost."""

import signal
from collections import Counter

import psutil
import pytest

from acceptance.ledger import WORK, Ledger, read_ledger
from acceptance.project import Background, Project
from waiting import eventually

TASKS = 6
THEIRS = """\
import os
from celery import Celery
import taskcfg.celery

app = Celery("theirs", broker=os.environ["THEIR_BROKER"])
app.conf.worker_prefetch_multiplier = 8
taskcfg.celery.install(app)
"""
EMBEDDED = "sqlite:///{}/.taskcfg/taskcfg.db"


@pytest.fixture(params=["project", "production"], ids=["embedded", "production"])
def work(request: pytest.FixtureRequest) -> Project:
    """A project with six tasks that run, when asked, until a file named `go` is there."""
    project: Project = request.getfixturevalue(request.param)
    return prepare(project)


def prepare(project: Project) -> Project:
    waiting = WORK.replace(
        "time.sleep(params.seconds)", "\n    while not os.path.exists('go'): time.sleep(0.02)"
    ).replace("    \n", "")
    project.write("taskcfg.toml", 'types = ["work"]\nworker_heartbeat = "0.5s"\nworker_lease = "20s"\n')
    project.write("work.py", waiting)
    tasks = "".join(f"  t{number}: {{type: work, schedule: manual}}\n" for number in range(TASKS))
    project.write("tasks.d/work.yaml", f"tasks:\n{tasks}")
    project.env["LEDGER"] = str(project.folder / "ledger")
    project.ok("db", "upgrade")
    project.ok("apply", "--yes")
    return project


def books(project: Project) -> Ledger:
    url = project.env.get("TASKCFG_DATABASE_URL", EMBEDDED.format(project.folder))
    return read_ledger(url, project.folder / "ledger")


def executions(project: Project) -> Counter[str]:
    return Counter(state for event in books(project).events for state in event.executions)


def begun(project: Project) -> int:
    ledger = project.folder / "ledger"
    return ledger.read_text().count("began") if ledger.exists() else 0


def run_all(project: Project) -> None:
    project.ok("run", *(f"t{number}" for number in range(TASKS)))


def worker(project: Project, *, cut_off: bool = False) -> Background:
    """Start a worker. One that is to be *cut off* may leave a pool process in the middle of its start."""
    background = project.start("worker", "--concurrency", "2", traceback_ok=cut_off)
    background.wait_for("ready")
    return background


def all_succeeded(project: Project) -> bool:
    found = books(project)
    return len(found.events) == TASKS and not found.unfinished() and not found.without_success()


def test_a_worker_told_to_stop_finishes_what_runs_and_gives_back_the_rest(work: Project) -> None:
    scheduler = work.start("scheduler")
    first = worker(work)
    run_all(work)
    first.wait_for(lambda: begun(work) == 2)

    first.send(signal.SIGTERM)
    first.wait_for("worker.stopping")
    (work.folder / "go").touch()
    stopped = first.end("SIGTERM")

    assert stopped.code == 0, str(stopped)
    assert begun(work) == executions(work)["succeeded"]
    left = TASKS - begun(work)
    assert left > 0, "it went on taking tasks"
    worker(work)
    eventually(lambda: all_succeeded(work), timeout=60)
    assert executions(work) == {"succeeded": TASKS}
    assert scheduler.stop(signal.SIGTERM).code == 0


def test_a_second_signal_ends_a_worker_at_once_and_what_it_cut_off_is_lost_and_runs_again(
    work: Project,
) -> None:
    first = worker(work, cut_off=True)
    scheduler = work.start("scheduler")
    run_all(work)
    first.wait_for(lambda: begun(work) == 2)
    scheduler.stop(signal.SIGTERM)

    first.send(signal.SIGTERM)
    first.wait_for("worker.stopping")
    first.send(signal.SIGINT)
    stopped = first.end("the second signal")

    assert stopped.code == 0, str(stopped)
    assert executions(work) == {"lost": 2}, str(stopped)
    (work.folder / "go").touch()
    work.start("scheduler")
    worker(work)
    eventually(lambda: all_succeeded(work), timeout=60)
    assert executions(work) == {"lost": 2, "succeeded": TASKS}


def test_what_a_cut_off_worker_had_fetched_from_redis_runs_on_the_next(
    project: Project, redis_url: str
) -> None:
    prepare(project)
    project.write("theirs.py", THEIRS)
    project.write("taskcfg.toml", project.read("taskcfg.toml") + 'celery_app = "theirs"\n')
    project.env["THEIR_BROKER"] = redis_url
    first = worker(project, cut_off=True)
    project.start("scheduler")
    run_all(project)
    first.wait_for(lambda: begun(project) == 2)
    first.wait_for(lambda: first.err.count("received") == TASKS)

    first.send(signal.SIGTERM)
    first.wait_for("worker.stopping")
    first.send(signal.SIGTERM)
    first.end("the second signal")

    (project.folder / "go").touch()
    worker(project)
    eventually(lambda: all_succeeded(project), timeout=60)
    assert executions(project) == {"lost": 2, "succeeded": TASKS}


def test_a_scheduler_told_to_stop_leaves_its_fires_to_the_next(production: Project) -> None:
    work = prepare(production)
    run_all(work)
    first = work.start("scheduler")
    first.wait_for("scheduler.started")

    stopped = first.stop(signal.SIGTERM)

    assert stopped.code == 0, str(stopped)
    assert "scheduler.stopped" in stopped.err
    assert [node["alive"] for node in work.ok("status", "-o", "json").json["schedulers"]] in ([], [False])
    (work.folder / "go").touch()
    work.start("scheduler")
    worker(work)
    eventually(lambda: all_succeeded(work), timeout=60)
    assert executions(work) == {"succeeded": TASKS}


def test_a_worker_that_still_waits_for_its_database_stops_in_peace(project: Project) -> None:
    unreachable = {"TASKCFG_DATABASE_URL": "postgresql://nobody@127.0.0.1:9/none"}
    waiting = project.start("worker", env=unreachable)
    waiting.wait_for("database.unavailable")

    assert waiting.stop(signal.SIGTERM).code == 0


def child_of(up: Background, word: str) -> psutil.Process:
    found = [child for child in psutil.Process(up.pid).children() if word in " ".join(child.cmdline())]
    assert len(found) == 1, found
    return found[0]


def test_up_told_twice_to_stop_writes_down_what_it_cuts_off(project: Project) -> None:
    prepare(project)
    up = project.start("up", traceback_ok=True)
    up.wait_for("worker    |")
    run_all(project)
    up.wait_for(lambda: begun(project) == 2)

    up.send(signal.SIGTERM)
    up.wait_for("worker.stopping")
    up.send(signal.SIGTERM)
    stopped = up.end("the second signal")

    assert stopped.code == 0, str(stopped)
    assert executions(project) == {"lost": 2}
    assert "up.stopped" in stopped.err


def test_up_restarts_children_that_are_killed_each_time_later_and_stops_in_a_pause_too(
    project: Project,
) -> None:
    prepare(project)
    up = project.start("up", traceback_ok=True)
    up.wait_for("ready.")
    child_of(up, "worker").kill()
    up.wait_for("child.died child=worker code=-9 restart_in=1s")
    eventually(lambda: up.err.count("ready.") == 2, timeout=30)
    child_of(up, "worker").kill()
    up.wait_for("child.died child=worker code=-9 restart_in=2s")
    up.wait_for("scheduler.started")
    child_of(up, "scheduler").kill()
    up.wait_for("child.died child=scheduler code=-9 restart_in=1s")

    stopped = up.stop(signal.SIGINT)

    assert stopped.code == 0, str(stopped)
    assert "up.stopped" in stopped.err


def test_a_second_up_names_the_first_and_since_when_and_a_dead_one_blocks_nothing(project: Project) -> None:
    prepare(project)
    up = project.start("up")
    up.wait_for("up.started")

    second = project.run("up")

    assert second.code == 1
    assert f"process {up.pid}, since 20" in second.err
    up.kill()
    again = project.start("up")
    again.wait_for("up.started")
    beside = project.start("scheduler")
    beside.wait_for("scheduler.started")
