"""`taskcfg export`: what is live, as a task file that plans to no change."""

import json

import pytest

from acceptance.project import Project

TASKS = """\
defaults: {timezone: Europe/Berlin, retry: {attempts: 3, delay: 30s}}
tasks:
  billing.nightly:
    type: celery
    description: "Bills: those of ${env:COMPANY:-us}"
    schedule: {cron: "30 1 * * MON-FRI"}
    params: {task: myapp.bill, kwargs: {key: "${secret:BILLING_KEY}", text: "$${secret:NO}", on: "yes"}}
    timeout: 15m
    labels: {team: billing, tier: "2"}
    owner: billing
    runbook: https://runbooks.example.org/billing
  "123":
    type: cleanup
    schedule: manual
    enabled: false
    params: {target: execution_history, older_than: 30d}
"""


@pytest.fixture(params=["sqlite", "postgresql"])
def live(request: pytest.FixtureRequest, project: Project) -> Project:
    """A project whose tasks are applied, on each database."""
    if request.param == "postgresql":
        project.env["TASKCFG_DATABASE_URL"] = request.getfixturevalue("postgres_url")
    project.write("tasks.d/tasks.yaml", TASKS)
    project.ok("db", "upgrade")
    project.ok("apply", "--yes")
    return project


def test_what_is_exported_plans_to_no_change_and_says_no_default(live: Project) -> None:
    text = live.ok("export").out
    live.write("tasks.d/tasks.yaml", text)

    assert live.ok("validate").out == "No problems: 2 tasks in 1 file\n"
    assert live.ok("plan").out == "No changes. 2 tasks match the configuration.\n"
    assert "overlap" not in text
    assert "key: ${secret:BILLING_KEY}" in text
    assert "timeout: 15m" in text


def test_a_selection_goes_to_a_file_that_is_not_overwritten_unasked(live: Project) -> None:
    said = live.ok("export", "-l", "team=billing", "--out", "out.yaml")
    assert (said.out, said.err) == ("", "1 task written to out.yaml\n")
    assert list(live.ok("export", "billing.*", "-o", "json").json["tasks"]) == ["billing.nightly"]

    refused = live.run("export", "--out", "out.yaml")
    assert (refused.code, "out.yaml is there already" in refused.err) == (1, True)
    assert "--force" in refused.err
    assert "123" not in live.read("out.yaml")

    live.ok("export", "--out", "out.yaml", "--force")
    assert "123" in live.read("out.yaml")
    assert json.loads(live.run("export", "nobody", "-o", "json").out)["error"]["code"] == "unknown_task"


def test_other_sources_are_exported_only_if_asked_for(live: Project) -> None:
    assert live.ok("export", "--source", "other").out == "tasks: {}\n"
    assert len(live.ok("export", "--source", "other", "--all-sources", "-o", "json").json["tasks"]) == 2


def test_of_two_tasks_of_one_name_none_is_left_out_unsaid(project: Project) -> None:
    declared = "tasks: {{bill: {{type: celery, schedule: manual, params: {{task: myapp.{}}}}}}}\n"
    project.write("tasks.d/tasks.yaml", declared.format("old"))
    project.ok("db", "upgrade")
    project.ok("apply", "--yes")
    project.write("tasks.d/tasks.yaml", "tasks: {}\n")
    project.ok("apply", "--yes", "--allow-empty")
    project.write("tasks.d/tasks.yaml", declared.format("new"))
    project.ok("apply", "--yes", "--source", "other")

    refused = project.run("export", "--state", "all", "--all-sources")

    assert (refused.code, refused.out) == (1, "")
    assert "`bill`: several tasks of one name, retired ones among them" in refused.err
    assert "myapp.new" in project.ok("export", "--all-sources").out


def test_a_database_becomes_a_folder_that_plans_to_no_change(live: Project) -> None:
    live.write("calendars/closed.yaml", "holidays: {country: DE}\n")
    live.write(
        "tasks.d/team/more.yaml",
        "tasks: {on: {type: celery, params: {task: a}, schedule: {every: 1h, skip_on: [closed]}}}\n",
    )
    live.ok("apply", "--yes")

    done = live.ok("export", "--dir", "elsewhere/tasks.d")
    assert done.out == "calendars/closed.yaml\ntasks.yaml\nteam/more.yaml\n"
    assert done.err == "3 tasks written to 3 files in elsewhere/tasks.d\n"
    assert live.ok("validate", "elsewhere/tasks.d").code == 0
    planned = live.ok("plan", "--tasks-dir", "elsewhere/tasks.d")
    assert planned.out == "No changes. 3 tasks match the configuration.\n"

    refused = live.run("export", "--dir", "elsewhere/tasks.d", "-o", "json")
    assert (refused.code, "is not empty" in json.loads(refused.out)["error"]["message"]) == (1, True)
    again = live.ok("export", "--dir", "elsewhere/tasks.d", "--force", "-o", "json").json
    assert again["tasks"] == 3
    assert live.run("export", "--dir", "x", "--out", "y").code == 64
