"""What somebody on call does: look at tasks, fires and executions, and run one by hand."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest

from acceptance.project import Project

TYPES = '''
from taskcfg import Fire, Params, task_type

class EchoParams(Params):
    """What is said, and how it ends."""
    say: str = "hello"
    fail: bool = False
    nested: dict[str, int] = {}

@task_type("echo")
def echo(params: EchoParams, fire: Fire) -> dict[str, object]:
    """Say it."""
    if params.fail:
        raise RuntimeError("it was told to fail")
    return {"said": params.say, "nested": params.nested, "kind": fire.kind}
'''
TASKS = """\
tasks:
  ticking:
    type: echo
    description: Ticks
    schedule: {every: 2s}
    timezone: Europe/Berlin
    overlap: allow
    params: {nested: {a: 1}}
  by-hand: {type: echo, schedule: manual}
  broken: {type: echo, schedule: manual, params: {fail: true}}
  stopped: {type: echo, schedule: {every: 1s}, enabled: false}
"""
CLEANUP = """\
tasks:
  {}: {{type: cleanup, schedule: manual, params: {{target: execution_history, older_than: 1d}}}}
"""


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    """A project with a type of its own, under `taskcfg up`, with at least one fire executed."""
    folder, home = tmp_path_factory.mktemp("project"), tmp_path_factory.mktemp("home")
    project = Project(folder, home)
    project.write("taskcfg.toml", 'types = ["echoes"]\n')
    project.write("echoes.py", TYPES)
    project.write("tasks.d/tasks.yaml", TASKS)
    up = project.start("up", traceback_ok=True)

    def executed() -> bool:
        done = project.run("history", "ticking", "--state", "succeeded", "-o", "json")
        return done.code == 0 and bool(done.json["executions"])

    try:
        up.wait_for(executed)
        yield project
    finally:
        project.close()


def instant(text: str) -> datetime:
    parsed = datetime.fromisoformat(text)
    assert text.endswith("Z") and parsed.tzinfo is not None
    return parsed


def by_name(project: Project) -> dict[str, dict[str, Any]]:
    return {task["name"]: task for task in project.ok("list", "-o", "json").json["tasks"]}


def test_list_shows_every_live_task_with_its_state(running: Project) -> None:
    tasks = by_name(running)

    assert list(tasks) == ["broken", "by-hand", "stopped", "ticking"]
    ticking = tasks["ticking"]
    assert instant(ticking.pop("next_fire_at")) == instant(ticking.pop("next_nominal_at"))
    assert instant(ticking.pop("last_nominal_at")) < datetime.now(UTC)
    assert ticking.pop("last_state") in ("running", "succeeded")
    assert ticking == {
        "name": "ticking",
        "type": "echo",
        "schedule": {"every": 2},
        "timezone": "Europe/Berlin",
        "enabled": True,
        "state": "active",
        "source": "main",
        "queue": None,
        "labels": {},
        "paused": None,
    }
    assert (tasks["stopped"]["state"], tasks["stopped"]["next_fire_at"]) == ("inactive", None)
    assert (tasks["by-hand"]["state"], tasks["by-hand"]["schedule"]) == ("active", "manual")


def test_list_is_a_table(running: Project) -> None:
    lines = running.ok("list").out.splitlines()

    assert lines[0].split() == ["NAME", "TYPE", "SCHEDULE", "STATE", "NEXT", "LAST"]
    assert [line.split()[0] for line in lines[1:]] == ["broken", "by-hand", "stopped", "ticking"]
    column = lines[0].index("SCHEDULE")
    assert [line[column:].split("  ")[0] for line in lines[1:]] == [
        "manual",
        "manual",
        "every 1s",
        "every 2s",
    ]


def test_show_shows_one_task_whole(running: Project) -> None:
    shown = running.ok("show", "ticking", "-o", "json").json
    text = running.ok("show", "ticking").out

    assert shown["spec"]["params"] == {"say": "hello", "fail": False, "nested": {"a": 1}}
    assert (shown["file"], shown["line"], shown["version"]) == ("tasks.d/tasks.yaml", 2, 1)
    assert (shown["description"], shown["commit"], shown["error"]) == ("Ticks", None, None)
    assert shown.keys() >= by_name(running)["ticking"].keys()
    assert "declared at      tasks.d/tasks.yaml:2" in text
    assert "params.nested.a  1" in text


@pytest.mark.parametrize("command", ["show", "history", "events", "run", "next"])
def test_an_unknown_task_is_an_error_that_names_the_nearest(running: Project, command: str) -> None:
    text, as_json = running.run(command, "tickin"), running.run(command, "tickin", "-o", "json")

    assert (text.code, as_json.code) == (1, 1)
    assert text.err == "error: no task is named `tickin`\n    did you mean `ticking`?\n"
    assert as_json.json["error"]["code"] == "unknown_task"


def test_run_prints_the_fires_id_and_the_fire_is_executed(running: Project) -> None:
    done = running.ok("run", "by-hand", "--wait", "--timeout", "60s")

    fire, outcome = done.out.splitlines()
    assert str(UUID(fire)) == fire
    assert outcome.startswith("by-hand succeeded in ")
    assert done.err == ""
    (execution,) = [
        each
        for each in running.ok("history", "by-hand", "-o", "json").json["executions"]
        if each["event_id"] == fire
    ]
    assert execution["result"] == {"said": "hello", "nested": {}, "kind": "manual"}


def test_run_as_json_shows_fires_and_their_newest_attempts(running: Project) -> None:
    queued = running.ok("run", "by-hand", "-o", "json").json["fires"]
    waited = running.ok("run", "by-hand", "--wait", "--timeout", "60s", "-o", "json").json["fires"]

    assert (queued[0]["task"], queued[0]["state"], queued[0]["execution"]) == ("by-hand", "pending", None)
    assert UUID(queued[0]["celery_id"])
    assert (waited[0]["state"], waited[0]["execution"]["state"]) == ("done", "succeeded")
    assert waited[0]["execution"]["celery_id"] == waited[0]["celery_id"]


def test_params_are_laid_over_the_tasks_own(running: Project) -> None:
    params = json.dumps({"say": "hi", "nested": {"b": 2}})

    done = running.ok("run", "ticking", "--params", params, "--wait", "--timeout", "60s", "-o", "json")

    assert done.json["fires"][0]["execution"]["result"] == {
        "said": "hi",
        "nested": {"a": 1, "b": 2},
        "kind": "manual",
    }


def test_params_that_do_not_fit_record_no_fire(running: Project) -> None:
    before = len(running.ok("events", "by-hand", "-o", "json").json["events"])

    refused = running.run("run", "by-hand", "--params", '{"sya": "hi", "fail": "perhaps"}')

    assert refused.code == 1
    assert "params of `by-hand`: " in refused.err
    assert "sya: unknown field" in refused.err
    assert "fail: expected `true` or `false`" in refused.err
    assert len(running.ok("events", "by-hand", "-o", "json").json["events"]) == before


@pytest.mark.parametrize("params", ["{", "[]", "5"])
def test_params_must_be_a_json_object(running: Project, params: str) -> None:
    assert running.run("run", "by-hand", "--params", params).code == 64


def test_a_failure_is_exit_1_with_the_error(running: Project) -> None:
    text = running.run("run", "broken", "--wait", "--timeout", "60s")
    as_json = running.run("run", "broken", "--wait", "--timeout", "60s", "-o", "json")

    assert (text.code, as_json.code) == (1, 1)
    assert "broken failed in " in text.out
    assert "it was told to fail" in text.out
    execution = as_json.json["fires"][0]["execution"]
    assert (execution["state"], "RuntimeError" in execution["traceback"]) == ("failed", True)
    assert "it was told to fail" in execution["error"]


def test_several_tasks_run_all_or_none(running: Project) -> None:
    both = running.run("run", "by-hand", "stopped", "--wait", "--timeout", "60s")
    before = len(running.ok("events", "by-hand", "-o", "json").json["events"])
    none = running.run("run", "by-hand", "nowhere")

    assert both.code == 0
    assert [line.split("  ")[1] for line in both.out.splitlines()[:2]] == ["by-hand", "stopped"]
    assert none.code == 1
    assert len(running.ok("events", "by-hand", "-o", "json").json["events"]) == before


def test_events_have_the_documented_shape_newest_first(running: Project) -> None:
    page = running.ok("events", "ticking", "-o", "json").json

    events = page["events"]
    assert events[0].keys() >= {
        "id", "task", "kind", "nominal_at", "fire_at", "state", "reason", "celery_id", "attempts",
        "created_at", "published_at",
    }  # fmt: skip
    created = [instant(event["created_at"]) for event in events]
    assert created == sorted(created, reverse=True)
    done = next(event for event in events if event["state"] == "done")
    assert (done["task"], done["attempts"]) == ("ticking", 1)
    assert instant(done["published_at"]) >= instant(done["created_at"])


def test_history_has_the_documented_shape_newest_first(running: Project) -> None:
    executions = running.ok("history", "-o", "json").json["executions"]

    assert executions[0].keys() == {
        "id", "event_id", "task", "celery_id", "attempt", "state", "worker", "queued_at", "started_at",
        "finished_at", "duration", "result", "error", "traceback",
    }  # fmt: skip
    started = [instant(execution["started_at"]) for execution in executions]
    assert started == sorted(started, reverse=True)


@pytest.mark.parametrize(("command", "key"), [("events", "events"), ("history", "executions")])
def test_pages_follow_each_other_without_a_gap(running: Project, command: str, key: str) -> None:
    for _ in range(2):
        running.ok("run", "by-hand", "--wait")
    whole = running.ok(command, "by-hand", "-o", "json").json[key]

    first = running.ok(command, "by-hand", "--limit", "1", "-o", "json").json
    second = running.ok(
        command, "by-hand", "--limit", "9999", "--cursor", first["next_cursor"], "-o", "json"
    ).json

    assert [row["id"] for row in first[key] + second[key]] == [row["id"] for row in whole]
    assert second["next_cursor"] is None
    assert f"--cursor {first['next_cursor']}" in running.ok(command, "by-hand", "--limit", "1").err


def test_states_and_since_narrow_what_is_shown(running: Project) -> None:
    running.run("run", "broken", "--wait", "--timeout", "60s")

    failed = running.ok("history", "--state", "failed", "-o", "json").json["executions"]
    future = running.ok("history", "--since", "2099-01-01", "-o", "json").json
    nothing = running.ok("events", "--since", "2099-01-01")

    assert {execution["task"] for execution in failed} == {"broken"}
    assert future == {"executions": [], "next_cursor": None}
    assert (nothing.out, nothing.err) == ("", "No fire matches.\n")
    assert running.ok("events", "--since", "1h", "--state", "done", "--state", "published").out
    assert running.run("events", "--cursor", "nonsense").code == 1


def test_history_is_a_table(running: Project) -> None:
    done = running.ok("history", "ticking", "--limit", "5")

    lines = done.out.splitlines()
    assert lines[0].split() == ["STARTED", "TASK", "STATE", "ATTEMPT", "TOOK", "FIRE", "RESULT"]
    assert all("ticking" in line for line in lines[1:])


def test_status_tells_how_everything_stands(running: Project) -> None:
    status = running.ok("status", "-o", "json").json
    text = running.ok("status").out

    assert status["environment"] is None
    assert status["database"].startswith("sqlite:///")
    assert status["broker"].startswith("embedded:///")
    (source,) = status["sources"]
    assert (source["name"], source["revision"], source["in_sync"], source["problems"]) == (
        "main",
        1,
        True,
        [],
    )
    assert instant(source["applied_at"])
    (scheduler,), (worker,) = status["schedulers"], status["workers"]
    assert scheduler.keys() >= {"id", "host", "pid", "alive", "last_seen"}
    assert (scheduler["alive"], worker["alive"], worker["queues"]) == (True, True, ["celery"])
    assert status["tasks"] == {
        "active": 3, "paused": 0, "inactive": 1, "error": 0, "retired": 0, "by_type": {"echo": 4},
    }  # fmt: skip
    assert status["outbox"].keys() == {"pending", "oldest_age"}
    assert isinstance(status["attention"], list)
    assert "source main  revision 1, applied " in text


def test_next_of_live_tasks_comes_from_the_database(running: Project) -> None:
    coming = running.ok("next", "--count", "3", "-o", "json").json
    silent = running.ok("next", "stopped")

    assert [fire["task"] for fire in coming["fires"]] == ["ticking"] * 3
    assert instant(coming["fires"][1]["nominal_at"]).second % 2 == 0
    assert coming["fires"][0]["local"][-6:] in ("+01:00", "+02:00")
    assert silent.out == ""
    assert "stopped is not enabled" in silent.err


def test_doctor_finds_nothing_wrong(running: Project) -> None:
    done = running.ok("doctor")
    checks = running.ok("doctor", "-o", "json").json

    assert "fail" not in done.out
    assert checks["healthy"] is True
    assert [check["check"] for check in checks["checks"]] == [
        "settings", "time_zones", "types", "task_files", "broker", "database", "clock", "hints", "schema",
        "sources", "schedulers", "workers", "history",
    ]  # fmt: skip
    assert all(check.keys() >= {"check", "ok", "reason", "hint"} for check in checks["checks"])


def test_a_second_up_in_the_same_folder_refuses(running: Project) -> None:
    refused = running.run("up")

    assert refused.code == 1
    assert "`taskcfg up` already runs for this folder" in refused.err


def test_before_anything_happened_it_says_so_helpfully(project: Project) -> None:
    project.ok("db", "upgrade")

    assert "`taskcfg apply`" in project.ok("list").err
    assert project.ok("list", "-o", "json").json == {"tasks": []}
    assert project.ok("history").err == "No execution is recorded yet.\n"
    assert project.ok("events").err == "No fire is recorded yet.\n"
    assert "`taskcfg apply`" in project.ok("next").err
    assert "nothing was applied yet" in project.ok("status").out


def test_without_scheduler_or_worker_run_says_what_the_fire_waits_for(project: Project) -> None:
    project.write("tasks.d/a.yaml", CLEANUP.format("by-hand"))
    project.ok("db", "upgrade")
    project.ok("apply", "--yes")

    done = project.run("run", "by-hand", "--wait", "--timeout", "0.2s")

    assert done.code == 1
    assert "No scheduler is alive" in done.err
    assert "No worker of taskcfg is alive" in done.err
    assert done.out.splitlines()[-1] == "by-hand pending"


def test_a_deleted_task_cannot_run_and_keeps_its_past(project: Project) -> None:
    project.ok("db", "upgrade")
    project.write("tasks.d/a.yaml", CLEANUP.format("old"))
    project.ok("apply", "--yes")
    project.ok("run", "old")
    project.write("tasks.d/a.yaml", CLEANUP.format("new"))
    project.ok("apply", "--yes")

    run, show = project.run("run", "old"), project.run("show", "old", "-o", "json")

    assert (run.code, show.code) == (1, 1)
    assert "task `old` was deleted" in run.err
    assert show.json["error"]["code"] == "retired_task"
    (event,) = project.ok("events", "old", "-o", "json").json["events"]
    assert event["state"] == "cancelled"
    assert list(by_name(project)) == ["new"]
