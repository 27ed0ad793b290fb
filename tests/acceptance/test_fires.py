"""What somebody on call does to one fire: look at it, cancel it, have it run again, clear old ones away."""

from collections.abc import Iterator
from typing import Any

import pytest

from acceptance.project import Project
from waiting import eventually

TYPES = '''
import time
from pathlib import Path
from taskcfg import Fire, Params, task_type

class WorkParams(Params):
    """How long, and which file must be there."""
    seconds: float = 0
    needs: str | None = None

@task_type("work", queue="work")
def work(params: WorkParams, fire: Fire) -> str:
    """Work, or fail for want of a file."""
    if params.needs and not Path(params.needs).exists():
        raise FileNotFoundError(params.needs)
    Path("began-" + fire.task).touch()
    time.sleep(params.seconds)
    return "worked"
'''
TASKS = """\
tasks:
  long: {type: work, schedule: manual, params: {seconds: 600}, retry: {attempts: 3, delay: 0s}}
  beside: {type: work, schedule: manual, params: {seconds: 3}}
  needy: {type: work, schedule: manual, params: {needs: it.txt}}
  waiting: {type: work, schedule: manual, queue: nobody-serves-it}
"""


@pytest.fixture
def running(request: pytest.FixtureRequest, project: Project) -> Iterator[Project]:
    """A project with a scheduler and a worker that serves one queue, on the services asked for."""
    if request.param == "production":
        request.getfixturevalue("production")
    project.write("taskcfg.toml", 'types = ["working"]\n')
    project.write("working.py", TYPES)
    project.write("tasks.d/tasks.yaml", TASKS)
    project.ok("db", "upgrade")
    project.ok("apply", "--yes")
    project.start("scheduler").wait_for("scheduler.started")
    worker = project.start("worker", "--queues", "work", "--concurrency", "2", traceback_ok=True)
    worker.wait_for("ready")
    yield project
    project.close()  # before its services go


def run(project: Project, name: str) -> str:
    fire: str = project.ok("run", name, "-o", "json").json["fires"][0]["id"]
    return fire


def logs(project: Project, fire: str) -> dict[str, Any]:
    document: dict[str, Any] = project.ok("logs", fire, "-o", "json").json
    return document


def state(project: Project, fire: str) -> str:
    found: str = logs(project, fire)["event"]["state"]
    return found


@pytest.mark.parametrize("running", ["embedded", "production"], indirect=True)
def test_a_running_fire_is_cancelled_and_nothing_else_is(running: Project) -> None:
    fire, beside = run(running, "long"), run(running, "beside")
    eventually(
        lambda: (running.folder / "began-long").exists() and (running.folder / "began-beside").exists()
    )

    said = running.ok("cancel", fire, env={"TASKCFG_ACTOR": "oncall"})
    assert "is running: its worker is asked to stop it" in said.out
    eventually(lambda: state(running, fire) == "cancelled", interval=0.3)

    (execution,) = logs(running, fire)["executions"]
    assert (execution["state"], execution["error"]) == ("cancelled", "cancelled by oncall")
    eventually(lambda: state(running, beside) == "done", interval=0.3)
    assert [each["state"] for each in logs(running, beside)["executions"]] == ["succeeded"]
    late = running.run("cancel", fire)
    assert (late.code, "it has ended already: cancelled" in late.err) == (1, True)


@pytest.mark.parametrize("running", ["embedded"], indirect=True)
def test_what_waits_is_cancelled_and_what_failed_runs_again(running: Project) -> None:
    waiting, needy = run(running, "waiting"), run(running, "needy")
    cancelled = running.ok("cancel", waiting[:20], "-o", "json").json["fires"]
    assert [(each["id"], each["state"]) for each in cancelled] == [(waiting, "cancelled")]

    eventually(lambda: state(running, needy) == "done", interval=0.3)
    text = running.ok("logs", "needy").out
    assert "attempt 1 failed" in text
    assert "FileNotFoundError: it.txt" in text
    assert 'File "' in text  # the traceback, in full

    running.write("it.txt", "here")
    again = running.ok("retry", needy, "--wait", "--timeout", "60s", "-o", "json").json["fires"]
    assert [each["id"] for each in again] == [needy]
    assert again[0]["execution"]["result"] == "worked"
    assert [each["state"] for each in logs(running, "needy")["executions"]] == ["failed", "succeeded"]

    refused = running.run("retry", needy, "-o", "json")
    assert refused.code == 1
    assert refused.json["error"]["code"] == "fire_not_ready"
    assert refused.json["error"]["hint"] == "`taskcfg run needy` makes a new fire"


@pytest.mark.parametrize(
    ("arguments", "message", "hint"),
    [
        (["logs", "nobody"], "`nobody` is neither a fire's id nor a task's name", "`taskcfg list`"),
        (["logs", "needi"], "`needi` is neither", "did you mean `needy`?"),
        (["logs", "needy"], "task `needy` has no fire yet", "`taskcfg run needy` makes one"),
        (["cancel", "abc"], "`abc` is no fire's id", "`taskcfg events`"),
        (["retry", "01234567-89ab-7cde-8f01-23456789abcd"], "there is no fire 01234567", "`taskcfg events`"),
    ],
)
def test_a_fire_that_is_not_there_says_what_is(
    project: Project, arguments: list[str], message: str, hint: str
) -> None:
    declared(project)

    refused = project.run(*arguments)

    assert refused.code == 1
    assert message in refused.err
    assert hint in refused.err


def test_the_start_of_an_id_that_several_fires_share_names_them(project: Project) -> None:
    declared(project)
    one, two = run(project, "needy"), run(project, "long")

    refused = project.run("logs", one[:6])

    assert refused.code == 1
    assert one in refused.err and two in refused.err and "(long)" in refused.err


def declared(project: Project) -> None:
    project.write("taskcfg.toml", 'types = ["working"]\n')
    project.write("working.py", TYPES)
    project.write("tasks.d/tasks.yaml", TASKS)
    project.ok("db", "upgrade")
    project.ok("apply", "--yes")


def test_purge_deletes_what_it_said_and_asks_before(project: Project) -> None:
    declared(project)
    fires = [run(project, name) for name in ("needy", "needy", "long", "waiting")]
    project.ok("cancel", *fires[:3])

    assert project.run("purge").code == 64
    assert (
        project.ok("purge", "--older-than", "1d", "--dry-run").out
        == "0 fires and 0 executions would be deleted\n"
    )
    assert project.ok("purge", "--older-than", "0s", "--dry-run", "-o", "json").json == {
        "events": 3, "executions": 0, "dry_run": True,
    }  # fmt: skip
    unasked = project.run("purge", "--older-than", "0s")
    assert (unasked.code, "3 fires and 0 executions would be deleted" in unasked.err) == (6, True)

    assert project.ok("purge", "needy", "--keep", "1", "--yes").out == "1 fire and 0 executions deleted\n"
    assert project.ok("purge", "--older-than", "0s", "-y", "-o", "json").json["events"] == 2
    left = project.ok("events", "-o", "json").json["events"]
    assert [(event["task"], event["state"]) for event in left] == [("waiting", "pending")]
