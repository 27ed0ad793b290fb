"""Environments: one set of task files, several databases, and none taken for another."""

import json

import pytest

from acceptance.project import Project
from pages import blocks, read, section

TASKS = """\
tasks:
  nightly:
    type: cleanup
    schedule: {every: 1h}
    params: {target: execution_history, older_than: 30d}
    queue: slow
"""
PROD = "tasks:\n  nightly: {schedule: {every: 2h}, queue: null}\n"


@pytest.fixture(params=["sqlite", "postgresql"])
def two(request: pytest.FixtureRequest, project: Project) -> Project:
    """A project with an environment, on each database."""
    if request.param == "postgresql":
        project.env["TASKCFG_DATABASE_URL"] = request.getfixturevalue("postgres_url")
    return filled(project)


@pytest.fixture
def one(project: Project) -> Project:
    return filled(project)


def filled(project: Project) -> Project:
    project.write("tasks.d/tasks.yaml", TASKS)
    project.write("environments/prod.yaml", PROD)
    project.ok("db", "upgrade")
    return project


def test_the_first_apply_makes_the_database_that_environments_and_all_others_are_refused(
    two: Project,
) -> None:
    assert two.ok("status", "-o", "json").json["environment"] is None
    assert two.ok("apply", "--env", "prod", "--yes", "-o", "json").json["environment"] == "prod"
    two.write("taskcfg.toml", 'environments = ["stage"]\n')

    for command in (["apply", "--yes"], ["list"], ["scheduler", "--once"], ["worker"]):
        refused = two.run(*command)
        assert (refused.code, "environment `prod`" in refused.err) == (1, True), refused
        assert "--env prod" in refused.err
    refused = two.run("list", "-o", "json", env={"TASKCFG_ENV": "stage"})
    error = json.loads(refused.out)["error"]
    assert (refused.code, error["code"]) == (1, "wrong_environment")
    assert "`stage`" in error["message"]

    two.env["TASKCFG_ENV"] = "prod"
    assert two.ok("status", "-o", "json").json["environment"] == "prod"
    assert two.ok("list", "-o", "json").json["tasks"][0]["queue"] is None
    two.ok("scheduler", "--once", "--watch")
    assert two.ok("plan").out == "No changes. 1 task matches the configuration.\n"


def test_looking_acting_and_upgrading_are_refused_alike(one: Project) -> None:
    one.ok("apply", "--env", "prod", "--yes")

    for command in (["status"], ["run", "nightly"], ["db", "upgrade"], ["up"], ["doctor", "--audit"]):
        refused = one.run(*command)
        assert (refused.code, "environment `prod`" in refused.err) == (1, True), refused
    checks = one.run("doctor", "-o", "json").json["checks"]
    assert [check["level"] for check in checks if check["check"] == "environment"] == ["fail"]


def test_a_database_is_freed_from_its_environment_as_the_settings_page_says(one: Project) -> None:
    one.ok("apply", "--env", "prod", "--yes")
    (freeing,) = blocks(section(read("settings.md"), "Environments"), "sql")

    one.sql(freeing)

    assert one.ok("status", "-o", "json").json["environment"] is None
    assert "schedule.every  2h -> 1h" in one.ok("plan").out


def test_a_plan_shows_what_the_environment_changes_and_where_it_stands(one: Project) -> None:
    one.ok("apply", "--yes")

    document = one.ok("plan", "--env", "prod", "-o", "json").json

    assert document["environment"] == "prod"
    (change,) = document["resource_changes"]
    assert change["change"]["after"]["schedule"] == {"every": 7200.0}
    assert change["change"]["after"]["queue"] is None
    assert one.ok("plan").out == "No changes. 1 task matches the configuration.\n"


def test_a_plan_saved_for_one_environment_is_not_applied_for_another(one: Project) -> None:
    one.ok("plan", "--env", "prod", "--out", "saved.json")

    refused = one.run("apply", "saved.json")
    assert (refused.code, "environment `prod`" in refused.err) == (1, True)

    one.write("environments/prod.yaml", PROD.replace("2h", "3h"))
    assert one.run("apply", "saved.json", "--env", "prod").code == 3
    one.write("environments/prod.yaml", PROD)
    one.ok("apply", "saved.json", "--env", "prod")
    assert one.ok("status", "--env", "prod", "-o", "json").json["environment"] == "prod"


def test_a_broken_environment_is_found_without_naming_it(one: Project) -> None:
    one.write("environments/prod.yaml", "tasks:\n  nightly: {queu: fast}\n  nigthly: {}\n")

    found = one.run("validate")

    assert found.code == 1
    assert found.out == (
        "environments/prod.yaml:2:13: queu: unknown field\n"
        "    did you mean `queue`?\n"
        "environments/prod.yaml:3:3: no task is named `nigthly`\n"
        "    did you mean `nightly`?\n"
        "2 problems in 1 of 2 files\n"
    )
    assert one.run("validate", "--env", "prod").out == found.out
    assert one.run("validate", "environments/prod.yaml").out == found.out.replace("of 2 files", "of 1 file")
    assert one.run("plan", "--env", "prod").code == 1
    one.ok("plan")


def test_an_environment_that_nobody_knows_is_an_error_with_the_nearest(one: Project) -> None:
    one.write("taskcfg.toml", 'environments = ["stage", "dev"]\n')
    for command in (["validate"], ["plan"], ["apply", "--yes"], ["explain", "nightly"]):
        refused = one.run(*command, "--env", "stag", "-o", "json")
        error = json.loads(refused.out)["error"]
        assert (refused.code, error["code"]) == (1, "unknown_environment")
        assert error["hint"] == "did you mean `stage`?"
    assert one.ok("status", "-o", "json").json["environment"] is None

    one.ok("apply", "--yes", "--env", "stage")
    assert one.ok("show", "nightly", "--env", "stage", "-o", "json").json["queue"] == "slow"


def test_explain_and_next_tell_of_the_environment(one: Project) -> None:
    values = one.ok("explain", "nightly", "--env", "prod", "-o", "json").json["values"]
    said = {each["field"]: (each["origin"], each["file"], each["line"]) for each in values}
    assert said["queue"] == ("environment", "environments/prod.yaml", 2)
    assert said["type"] == ("task", "tasks.d/tasks.yaml", 3)
    assert "environments/prod.yaml:2" in one.ok("explain", "nightly", "--env", "prod").out

    span = ("--from", "2026-01-01T00:00:00Z", "--to", "2026-01-02T00:00:00Z", "-o", "json")
    alone = one.ok("next", "-f", "tasks.d/tasks.yaml", *span).json["fires"]
    merged = one.ok("next", "-f", "tasks.d/tasks.yaml", "--env", "prod", *span).json["fires"]
    assert (len(alone), len(merged)) == (24, 12)


def test_a_watching_scheduler_follows_its_environment_and_survives_its_loss(one: Project) -> None:
    one.env["TASKCFG_ENV"] = "prod"
    scheduler = one.start("scheduler", "--watch")
    scheduler.wait_for("source.applied")

    one.write("environments/prod.yaml", PROD.replace("2h", "3h"))
    scheduler.wait_for("revision=2")
    (one.folder / "environments/prod.yaml").unlink()
    scheduler.wait_for("no environment is named `prod`")

    assert one.ok("show", "nightly", "-o", "json").json["schedule"] == {"every": 10800.0}
    assert scheduler.stop().code == 0
