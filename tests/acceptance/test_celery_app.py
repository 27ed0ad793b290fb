"""A Celery app of the user's own: its tasks are checked, fired and recorded, by the installed command."""

import json
import re
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest

from acceptance.project import Background, Project
from waiting import eventually

EXAMPLE = Path(__file__).parents[2] / "examples" / "celery-project"
CELERY = str(Path(sys.executable).with_name("celery"))

THEIRS = """\
import os

from pathlib import Path
from celery import Celery
import taskcfg.celery

app = Celery("theirs", broker=os.environ["THEIR_BROKER"])
{settings}
taskcfg.celery.install(app)


@app.task(name="theirs.add")
def add(x, y):
    Path("added").write_text(str(x + y))
    return x + y
"""
ADDING = """\
tasks:
  add:
    type: celery
    schedule: manual
    params: {task: theirs.add, args: [1, 2]}
"""


@pytest.fixture
def example(project: Project) -> Project:
    """The example that is shown to users, in a folder of its own; nothing fires there by itself."""
    leftovers = shutil.ignore_patterns("__pycache__", ".taskcfg")
    shutil.copytree(EXAMPLE, project.folder, dirs_exist_ok=True, ignore=leftovers)
    tasks = project.read("tasks.d/shop.yaml")
    project.write("tasks.d/shop.yaml", re.sub("schedule: {.*}", "schedule: manual", tasks))
    return project


def executions(project: Project, task: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = project.ok("history", task, "--format", "json").json["executions"]
    return found


def run(project: Project, *names: str) -> None:
    project.ok("run", *names, "--wait", "--timeout", "60s")


def their_project(project: Project, *, settings: str = "", toml: str = 'celery_app = "theirs"\n') -> Project:
    project.write("theirs.py", THEIRS.format(settings=settings))
    project.write("taskcfg.toml", toml)
    project.write("tasks.d/add.yaml", ADDING)
    project.env["THEIR_BROKER"] = f"embedded:///{project.folder}/their.db"
    return project


def celery_worker(project: Project, *words: str) -> Background:
    worker = project.start("-A", "theirs", "worker", "-c", "1", "-l", "info", *words, program=CELERY)
    worker.wait_for("ready.")
    return worker


def test_the_example_runs_on_the_workers_that_it_had(example: Project) -> None:
    example.ok("validate", "--strict")
    example.ok("validate", "--strict", str(EXAMPLE / "tasks.d"))
    example.ok("db", "upgrade")
    example.ok("apply", "--yes")
    worker = example.start(
        "-A", "shop.celery", "worker", "-Q", "celery,mail", "-l", "info", "-c", "2",
        program=CELERY, traceback_ok=True,
    )  # fmt: skip
    example.start("scheduler").wait_for("scheduler.started")

    run(example, "shop.reminders", "shop.prices", "shop.close-orders")

    assert [each["result"] for each in executions(example, "shop.reminders")] == [
        "would remind of the last 24h"
    ]
    assert [each["state"] for each in executions(example, "shop.prices")] == ["succeeded", "retrying"]
    assert executions(example, "shop.close-orders")[0]["result"] == {"closed": 30}
    thank = "from shop.tasks import thank; thank.delay('Ada')"
    example.start("-c", thank, program=sys.executable).end("its last line")
    worker.wait_for("succeeded in")
    worker.wait_for("Thank you, Ada!")
    assert len(example.ok("history", "--format", "json").json["executions"]) == 4
    assert example.ok("doctor", "--format", "json").json["healthy"]


def test_the_example_runs_with_one_command_that_serves_the_queues_of_its_routes(example: Project) -> None:
    up = example.start("up", traceback_ok=True)
    up.wait_for("added=3")

    run(example, "shop.reminders", "shop.close-orders")

    assert [each["state"] for each in executions(example, "shop.reminders")] == ["succeeded"]


def test_what_the_app_does_not_know_is_a_problem_with_its_place(example: Project) -> None:
    text = example.read("tasks.d/shop.yaml")
    text = text.replace("send_reminders", "send_reminder").replace("currency: EUR", "curency: EUR")
    example.write("tasks.d/shop.yaml", text.replace("args: [30]", "args: [30, 31]"))

    validated = example.run("validate", "--format", "json")
    planned = example.run("plan")

    assert validated.code == 1
    assert [(each["field"], each["hint"]) for each in validated.json["problems"]] == [
        ("params.task", "did you mean `shop.tasks.send_reminders`?"),
        ("params.kwargs.curency", "did you mean `currency`?"),
        ("params", "it is `shop.close_orders(days)`"),
    ]
    assert planned.code == 1


def test_an_app_that_cannot_be_had_is_said_by_every_command_that_needs_it(project: Project) -> None:
    their_project(project)
    project.ok("db", "upgrade")
    project.write("theirs.py", "import os\n1 / 0")
    message = "`theirs` cannot be imported: ZeroDivisionError: division by zero (theirs.py:2)"

    for command in ("validate", "plan", "scheduler", "worker", "up"):
        done = project.run(command)
        assert (done.code, message in done.err) == (1, True), str(done)
    checks = project.run("doctor", "--format", "json").json["checks"]
    assert [each["ok"] for each in checks if each["check"] == "celery_app"] == [False]
    project.write(
        "tasks.d/add.yaml",
        "tasks: {a: {type: cleanup, schedule: manual, params: {target: execution_history, older_than: 1d}}}",
    )
    project.ok("validate")  # nobody needs the app for these


def test_an_app_that_sends_nothing_is_refused(project: Project) -> None:
    their_project(project, settings="app.conf.task_always_eager = True")
    project.ok("db", "upgrade")
    project.ok("validate")

    for command in ("scheduler", "worker"):
        done = project.run(command)
        assert (done.code, "`task_always_eager` on" in done.err) == (1, True), str(done)


def test_a_broker_url_goes_before_the_apps_own_and_the_difference_is_said(project: Project) -> None:
    their_project(project)
    project.ok("db", "upgrade")
    project.ok("apply", "--yes")
    project.env["TASKCFG_BROKER_URL"] = f"embedded:///{project.folder}/ours.db"

    checks = project.run("doctor", "--format", "json").json["checks"]
    worker = celery_worker(project)
    worker.wait_for("this app's workers read from")
    project.start("scheduler")
    project.start("worker")  # our own worker of the same app goes by the setting
    run(project, "add")

    [warned] = [each for each in checks if each["check"] == "app_broker"]
    assert warned["level"] == "warn" and "ours.db" in warned["reason"] and "their.db" in warned["reason"]
    assert "Task theirs.add" not in worker.err


def test_without_the_setting_only_names_are_known_and_installed_workers_do(production: Project) -> None:
    their_project(production, toml="")
    production.env["THEIR_BROKER"] = production.env["TASKCFG_BROKER_URL"]
    production.write(
        "tasks.d/add.yaml",
        ADDING + ADDING.partition("\n")[2].replace("add:", "typo:").replace("theirs.add", "theirs.typo"),
    )
    production.ok("validate")
    production.ok("db", "upgrade")
    production.ok("apply", "--yes")
    celery_worker(production)
    production.start("scheduler")

    run(production, "add")

    assert [each["result"] for each in executions(production, "add")] == [3]


def test_without_a_gate_a_fire_is_done_when_the_broker_has_it(project: Project) -> None:
    their_project(project)
    ungated = ADDING.replace("[1, 2]}", "[1, 2], gate: false}\n    overlap: allow")
    project.write("tasks.d/add.yaml", ungated)
    project.write(
        "theirs.py",
        THEIRS.format(settings="").replace("taskcfg.celery.install(app)", "taskcfg.transport.register()"),
    )
    project.ok("db", "upgrade")
    project.ok("apply", "--yes")
    worker = celery_worker(project)
    project.start("scheduler")

    run(project, "add")

    eventually(lambda: (project.folder / "added").exists(), message=lambda: str(worker))
    [fire] = project.ok("events", "add", "--format", "json").json["events"]
    assert (fire["state"], fire["attempts"], fire["published_at"] is not None) == ("done", 0, True)
    assert executions(project, "add") == []
    [task] = project.ok("list", "--format", "json").json["tasks"]
    assert task["last_state"] == "done"


def test_a_run_with_params_that_the_task_would_not_take_is_refused(project: Project) -> None:
    their_project(project)
    project.ok("db", "upgrade")
    project.ok("apply", "--yes")

    done = project.run("run", "add", "--params", json.dumps({"args": [1, 2, 3]}))

    assert done.code == 1
    assert "too many positional arguments" in done.err
    assert project.ok("events", "--format", "json").json["events"] == []
