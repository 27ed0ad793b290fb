"""`taskcfg doctor`: each check, failing, says what is wrong and what to do."""

from typing import Any

import pytest

from acceptance.project import Project

TASKS = """\
tasks:
  nightly:
    type: cleanup
    schedule: {cron: "0 2 * * *"}
    params: {target: execution_history, older_than: 30d}
"""
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
