"""`taskcfg up`: everything on one machine, from nothing, on embedded defaults."""

import os
import signal
import time
from datetime import timedelta

import psutil

from acceptance.ledger import WORK, Ledger, read_ledger
from acceptance.project import Project
from waiting import eventually

SECOND = timedelta(seconds=1)


def working(project: Project, schedule: str = "{every: 1s}") -> None:
    project.write("taskcfg.toml", 'types = ["work"]\n')
    project.write("work.py", WORK)
    tasks = "".join(
        f"  t{n}: {{type: work, schedule: {schedule}, overlap: allow, params: {{seconds: 0.2}}}}\n"
        for n in range(3)
    )
    project.write("tasks.d/work.yaml", f"tasks:\n{tasks}")
    project.env |= {
        "LEDGER": str(project.folder / "ledger"),
        "TASKCFG_WORKER_HEARTBEAT": "0.5s",
        "TASKCFG_WORKER_LEASE": "4s",
    }


def books(project: Project) -> Ledger:
    return read_ledger(f"sqlite:///{project.folder}/.taskcfg/taskcfg.db", project.folder / "ledger")


def test_a_new_project_runs_its_first_task_with_two_commands(project: Project) -> None:
    project.ok("init")
    project.write("tasks.d/cleanup.yaml", project.read("tasks.d/cleanup.yaml").replace("1m", "1s"))

    up = project.start("up")
    up.wait_for("execution.succeeded")

    executions = project.ok("history", "--format", "json").json["executions"]
    assert executions[-1]["state"] == "succeeded"
    finished = up.stop(signal.SIGINT)
    assert finished.code in (0, 130), str(finished)
    eventually(lambda: not project.processes(), timeout=30)


def test_starting_again_goes_on_where_it_stopped(project: Project) -> None:
    working(project)
    up = project.start("up")
    eventually(lambda: (project.folder / "ledger").exists() and len(books(project).lines) > 8)
    up.stop(signal.SIGTERM)

    up = project.start("up")
    before = len(books(project).lines)
    eventually(lambda: len(books(project).lines) > before + 12)
    project.write("tasks.d/work.yaml", project.read("tasks.d/work.yaml").replace("{every: 1s}", "manual"))
    up.wait_for("changed=3")
    eventually(lambda: not books(project).unfinished())
    found = books(project)

    assert found.gaps() == []
    assert found.doubles() == []
    assert found.without_success() == []


def test_killed_again_and_again_it_loses_nothing_and_leaves_no_orphan(project: Project) -> None:
    working(project)

    for number in range(5):
        up = project.start("up")
        up.wait_for("execution.succeeded")
        time.sleep(0.3 * number)
        os.kill(up.pid, signal.SIGKILL)
        up.kill()
        eventually(lambda: not project.processes(), timeout=30, message="a child outlived `up`")
    up = project.start("up")
    up.wait_for("execution.succeeded")
    project.write("tasks.d/work.yaml", project.read("tasks.d/work.yaml").replace("{every: 1s}", "manual"))
    up.wait_for("changed=3")
    eventually(lambda: not books(project).unfinished(), timeout=60)
    found = books(project)

    assert found.gaps() == []
    assert found.doubles() == []
    assert [event for event in found.without_success() if event.state != "dead"] == []


def test_a_child_that_dies_is_started_again(project: Project) -> None:
    working(project)
    up = project.start("up")
    up.wait_for("execution.succeeded")
    scheduler = next(
        child for child in psutil.Process(up.pid).children() if "scheduler" in " ".join(child.cmdline())
    )

    scheduler.kill()

    up.wait_for("child.died")
    eventually(lambda: up.err.count("scheduler.started") == 2)


def test_a_projects_own_modules_do_not_stand_in_for_libraries(project: Project) -> None:
    working(project)
    for name in ("celery", "click", "logging", "types"):
        project.write(f"{name}.py", f"raise SystemExit('{name}.py of the project was imported')\n")

    up = project.start("up")
    up.wait_for("execution.succeeded")

    assert "was imported" not in up.err
    assert project.run("validate").code == 0


def test_a_second_up_on_the_same_folder_is_refused(project: Project) -> None:
    working(project)
    project.start("up").wait_for("scheduler.started")

    second = project.run("up")

    assert second.code == 1
    assert "already runs for this folder" in second.err
