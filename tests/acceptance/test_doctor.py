"""`taskcfg doctor`: each check, failing, says what is wrong and what to do."""

import sqlite3
from contextlib import closing
from typing import Any

import pytest
from amqp.exceptions import NotFound
from kombu import Connection
from redis import Redis

from acceptance.project import Project
from waiting import eventually

TASKS = """\
tasks:
  nightly:
    type: cleanup
    schedule: {cron: "0 2 * * *"}
    params: {target: execution_history, older_than: 30d}
"""
URGENT = "{{type: celery, schedule: {{every: 1h}}, params: {{task: demo.add}}, priority: 9, queue: {}}}"
NOWHERE = "127.0.0.1:1"


@pytest.fixture
def set_up(project: Project) -> Project:
    """A project in which all is well, but for the processes that nobody has started."""
    project.write("tasks.d/a.yaml", TASKS)
    project.ok("db", "upgrade")
    return project


def checks(project: Project, *args: str) -> dict[str, dict[str, Any]]:
    done = project.run("doctor", "--format", "json", *args)
    assert (done.code == 0) == done.json["healthy"]
    assert done.json["healthy"] == all(check["ok"] for check in done.json["checks"])
    return {check["check"]: check for check in done.json["checks"]}


def assert_fails(check: dict[str, Any], reason: str, hint: str) -> None:
    assert (check["ok"], check["level"]) == (False, "fail")
    assert reason in check["reason"]
    assert hint in check["hint"]


def test_a_new_project_is_healthy_and_told_what_to_start(set_up: Project) -> None:
    found = checks(set_up)

    assert {check["level"] for name, check in found.items() if name not in ("schedulers", "workers")} == {
        "ok"
    }
    assert (found["schedulers"]["level"], found["workers"]["level"]) == ("warn", "warn")
    assert "`taskcfg up`" in found["schedulers"]["hint"]


def test_text_is_a_line_a_check_and_the_hint_below(set_up: Project) -> None:
    set_up.write("tasks.d/b.yaml", "tasks: 5\n")

    done = set_up.run("doctor")

    assert done.code == 1
    lines = done.out.splitlines()
    at = next(number for number, line in enumerate(lines) if line.startswith("fail"))
    assert lines[at] == "fail  task_files  1 problem in 1 of 2 files"
    assert lines[at + 1] == "                  `taskcfg validate` shows them"


def test_settings_that_cannot_be_used(project: Project) -> None:
    project.write("taskcfg.toml", "concurrency = 0")

    found = checks(project)

    assert list(found) == ["settings"]
    assert_fails(found["settings"], "concurrency", "docs/settings.md")


def test_a_module_of_types_that_cannot_be_imported(set_up: Project) -> None:
    set_up.write("taskcfg.toml", 'types = ["nowhere"]')

    assert_fails(checks(set_up)["types"], "no module is named `nowhere`", "check its spelling")


def test_task_files_with_problems(set_up: Project) -> None:
    set_up.write("tasks.d/b.yaml", TASKS)

    assert_fails(checks(set_up)["task_files"], "1 problem in 1 of 2 files", "`taskcfg validate`")


def test_a_folder_of_tasks_that_is_not_there(set_up: Project) -> None:
    assert_fails(checks(set_up, "--tasks-dir", "elsewhere")["task_files"], "elsewhere", "`taskcfg init`")


@pytest.mark.parametrize("broker", [f"amqp://u:s3cret@{NOWHERE}//", f"redis://:s3cret@{NOWHERE}/0"])
def test_a_broker_that_is_down(set_up: Project, broker: str) -> None:
    done = set_up.run("doctor", "--broker-url", broker)
    found = checks(set_up, "--broker-url", broker)

    assert_fails(found["broker"], NOWHERE, "`broker_url`")
    assert "s3cret" not in done.out + done.err


def test_a_broker_of_a_kind_that_does_not_exist(set_up: Project) -> None:
    found = checks(set_up, "--broker-url", "pigeon://coop/1")

    assert found["broker"]["ok"] is False
    assert "pigeon" in found["broker"]["reason"]


def test_a_database_that_is_down(set_up: Project) -> None:
    found = checks(set_up, "--database-url", f"postgresql://u:s3cret@{NOWHERE}/d")

    assert_fails(found["database"], NOWHERE, "`database_url`")
    assert "s3cret" not in str(found)
    assert "schema" not in found


def test_a_database_url_of_another_kind(set_up: Project) -> None:
    assert_fails(checks(set_up, "--database-url", "mysql://h/d")["database"], "mysql", "postgresql://")


def test_tables_that_are_missing(project: Project) -> None:
    project.write("tasks.d/a.yaml", TASKS)

    found = checks(project)

    assert_fails(found["schema"], "no tables yet", "`taskcfg db upgrade`")
    assert "schedulers" not in found


def test_live_tasks_without_anybody_to_fire_and_run_them(set_up: Project) -> None:
    set_up.ok("apply", "--yes")

    found = checks(set_up)

    assert_fails(found["schedulers"], "1 live task will not fire", "`taskcfg scheduler`")
    assert_fails(found["workers"], "nothing that fires will run", "`taskcfg worker`")


def test_a_priority_that_its_queue_cannot_keep_is_warned_of_as_the_queue_stands(
    set_up: Project, rabbitmq_url: str, queue_prefix: str
) -> None:
    plain, nine, absent = (f"{queue_prefix}{name}" for name in ("plain", "nine", "absent"))
    lines = [f"  to-{name}: {URGENT.format(name)}\n" for name in (plain, nine, absent)]
    set_up.write("tasks.d/a.yaml", "tasks:\n" + "".join(lines))
    set_up.ok("apply", "--yes")
    with Connection(rabbitmq_url) as connection, connection.channel() as channel:
        channel.queue_declare(plain, durable=True, auto_delete=False)
        channel.queue_declare(nine, durable=True, auto_delete=False, arguments={"x-max-priority": 9})

    found = checks(set_up, "--broker-url", rabbitmq_url)["priorities"]

    assert found["level"] == "warn"
    assert found["reason"] == (
        f"queue `{plain}` has no `x-max-priority`, and cannot keep the priority of `to-{plain}`"
    )
    with Connection(rabbitmq_url) as connection, connection.channel() as channel, pytest.raises(NotFound):
        channel.queue_declare(absent, passive=True)  # looking made none


def test_the_embedded_broker_keeps_every_priority(set_up: Project) -> None:
    set_up.write("tasks.d/a.yaml", f"tasks:\n  urgent: {URGENT.format('celery')}\n")
    set_up.ok("apply", "--yes")

    assert checks(set_up)["priorities"]["level"] == "ok"


def test_the_audit_looks_back_to_an_instant_and_finds_what_was_taken_away(set_up: Project) -> None:
    set_up.write(
        "tasks.d/a.yaml", "tasks: {often: {type: celery, schedule: {every: 1s}, params: {task: a.b}}}"
    )
    set_up.ok("apply", "--yes")
    scheduler = set_up.start("scheduler")
    eventually(lambda: len(set_up.ok("events", "often", "-o", "json").json["events"]) > 2)
    scheduler.kill()
    well = set_up.ok("doctor", "--audit", "--since", "2026-01-01T00:00Z", "-o", "json").json
    with closing(sqlite3.connect(set_up.folder / ".taskcfg" / "taskcfg.db")) as database, database:
        database.execute(
            "DELETE FROM schedule_event WHERE id = (SELECT id FROM schedule_event ORDER BY id LIMIT 1)"
        )

    found = set_up.run("doctor", "--audit", "-o", "json")
    nothing = set_up.ok("doctor", "--audit", "--since", "now", "-o", "json").json
    refused = set_up.run("doctor", "--audit", "--since", "soon")

    assert (well["healthy"], well["audit"]["since"]) == (True, "2026-01-01T00:00:00Z")
    assert well["audit"]["fires"] > 2
    assert found.code == 1
    assert found.json["audit"]["counts"] == {
        "gaps": 1, "doubles": 0, "extras": 0, "late": 0, "contradictions": 0,
    }  # fmt: skip
    assert found.json["audit"]["gaps"][0]["task"] == "often"
    assert nothing["audit"]["fires"] == 0
    assert refused.code == 64
    assert "`soon` is not an instant" in refused.err


def test_a_redis_that_may_throw_messages_away_is_a_warning(set_up: Project, redis_url: str) -> None:
    set_up.env["TASKCFG_BROKER_URL"] = redis_url
    with Redis.from_url(redis_url) as server:
        before = server.config_get("maxmemory-policy")["maxmemory-policy"]
        try:
            server.config_set("maxmemory-policy", "allkeys-lru")
            evicting = checks(set_up)
            server.config_set("maxmemory-policy", "noeviction")
            keeping = checks(set_up)
        finally:
            server.config_set("maxmemory-policy", before)

    assert evicting["broker_memory"]["level"] == "warn"
    assert "allkeys-lru" in evicting["broker_memory"]["reason"]
    assert "broker_memory" not in keeping
