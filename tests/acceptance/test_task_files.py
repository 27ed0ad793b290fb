"""Defaults of folders, labels, documents and references, from the file to the worker's fire."""

from pathlib import Path

import pytest

from acceptance.project import Project

TASK = """\
tasks:
  nightly:
    type: http
    schedule: {every: 1h, anchor: 2026-01-01T00:30:00Z}
    params: {url: "https://${env:HOST:-example.org}/", headers: {Authorization: "Bearer ${secret:TOKEN}"}}
    labels: {team: platform}
    owner: Ana
    runbook: https://example.org/runbook
"""


@pytest.fixture
def applied(project: Project) -> Project:
    project.write("tasks.d/_defaults.yaml", "labels: {tier: '2'}\nqueue: slow\n")
    project.write("tasks.d/a.yaml", TASK)
    project.ok("db", "upgrade")
    project.ok("apply", "--yes")
    return project


def test_labels_owner_and_runbook_are_kept_and_shown(applied: Project) -> None:
    shown = applied.ok("show", "nightly", "-o", "json").json
    (listed,) = applied.ok("list", "-o", "json").json["tasks"]
    text = applied.ok("show", "nightly").out.split()

    assert shown["spec"]["labels"] == listed["labels"] == {"team": "platform", "tier": "2"}
    assert (shown["spec"]["owner"], shown["spec"]["runbook"]) == ("Ana", "https://example.org/runbook")
    assert shown["spec"]["queue"] == "slow"
    assert {"labels.team", '"platform"', "owner", '"Ana"', "runbook"} <= set(text)


def test_a_changed_label_is_planned_field_by_field_and_moves_no_fire(applied: Project) -> None:
    before = applied.ok("show", "nightly", "-o", "json").json
    applied.write("tasks.d/_defaults.yaml", "labels: {tier: '1', new: x}\nqueue: slow\n")
    applied.write("tasks.d/a.yaml", TASK.replace("{team: platform}", "{team: billing}"))

    plan = applied.ok("plan").out.splitlines()
    applied.ok("apply", "--yes")
    after = applied.ok("show", "nightly", "-o", "json").json

    assert [line.split() for line in plan if "labels." in line] == [
        ["labels.new", "null", "->", '"x"'],
        ["labels.team", '"platform"', "->", '"billing"'],
        ["labels.tier", '"2"', "->", '"1"'],
    ]
    assert after["next_nominal_at"] == before["next_nominal_at"]
    assert after["version"] == before["version"] + 1


def test_the_database_and_the_plan_hold_a_secrets_reference_and_the_environments_value(
    applied: Project,
) -> None:
    spec = applied.ok("show", "nightly", "-o", "json").json["spec"]
    plan = applied.ok("plan", "-o", "json", env={"HOST": "other.test", "TOKEN": "hunter2-hunter2"})

    (change,) = plan.json["resource_changes"]
    assert spec["params"]["url"] == "https://example.org/"
    assert spec["params"]["headers"] == {"Authorization": "Bearer ${secret:TOKEN}"}
    assert change["change"]["actions"] == ["update"]
    assert change["change"]["after"]["params"]["url"] == "https://other.test/"
    assert "hunter2" not in plan.out + plan.err


def test_a_plan_of_one_file_inherits_what_its_folders_give(applied: Project) -> None:
    assert "No changes. 1 task" in applied.ok("plan", "-f", "tasks.d/a.yaml").out
    assert applied.ok("validate", "tasks.d/_defaults.yaml").out == "No problems: 0 tasks in 1 file\n"


def test_problems_stand_at_their_places_and_show_no_value_of_the_environment(project: Project) -> None:
    project.write("tasks.d/_defaults.yaml", "x-mine: &mine {a: 1}\ntimeout: ${env:LIMIT}\n")
    project.write("tasks.d/a.yaml", TASK + "---\n" + TASK.replace("Ana", "Bo"))
    project.write("tasks.d/b.yaml", TASK.replace("nightly", "weekly"))

    done = project.run("validate", env={"LIMIT": "hunter2-hunter2"})

    assert done.code == 1
    assert done.out == (
        "tasks.d/_defaults.yaml:2:10: timeout: `${env:LIMIT}` is not a duration such as `90s`, `15m`, `6h`,"
        " `30d`, `1h30m`, `PT15M` or a number of seconds\n"
        "    it comes from the environment: see `LIMIT`\n"
        "tasks.d/a.yaml:2:3: task `nightly` is declared twice\n"
        "    also at tasks.d/a.yaml:11:3\n"
        "2 problems in 2 of 3 files\n"
    )


@pytest.mark.parametrize(
    "content",
    [
        b"\xff\xfe\x00", b"tasks: &a [*a]", b"---\n" * 3000, b"[" * 100_000, b"tasks: {a: '" + b"$" * 500_000,
    ],
    ids=["bytes", "cycle", "documents", "deep", "dollars"],
)  # fmt: skip
def test_hostile_files_end_in_a_problem_and_no_traceback(project: Project, content: bytes) -> None:
    Path(project.folder / "tasks.d").mkdir()
    (project.folder / "tasks.d" / "a.yaml").write_bytes(content)

    done = project.run("validate")

    assert done.code == 1
    assert done.out.startswith("tasks.d/a.yaml:")
    assert done.err == ""


def test_a_changed_defaults_file_is_followed_without_a_restart(applied: Project) -> None:
    scheduler = applied.start("scheduler", "--watch")
    scheduler.wait_for("scheduler")

    applied.write("tasks.d/_defaults.yaml", "queue: quick\n")

    scheduler.wait_for(
        lambda: applied.ok("show", "nightly", "-o", "json").json["spec"]["queue"] == "quick", interval=0.5
    )
