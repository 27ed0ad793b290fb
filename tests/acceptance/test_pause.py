"""`pause` and `resume`, and choosing tasks, as an operator meets them."""

import pytest

from acceptance.project import Project
from waiting import eventually

TASKS = """\
tasks:
  billing.daily:
    type: cleanup
    schedule: {every: 1h}
    params: {target: execution_history, older_than: 30d}
  billing.weekly:
    type: cleanup
    schedule: {every: 7d}
    params: {target: execution_history, older_than: 30d}
  mail.digest:
    type: http
    schedule: {every: 1h}
    params: {url: "http://127.0.0.1:9/"}
"""


@pytest.fixture
def applied(project: Project) -> Project:
    project.write("tasks.d/tasks.yaml", TASKS)
    project.ok("db", "upgrade")
    project.ok("apply", "--yes")
    return project


def names(project: Project, *selectors: str) -> list[str]:
    return [task["name"] for task in project.ok("list", *selectors, "-o", "json").json["tasks"]]


def test_a_pause_is_seen_survives_an_apply_and_ends(applied: Project) -> None:
    paused = applied.ok("pause", "billing.*", "--reason", "INC-4211", "--until", "2h", "-o", "json",
                        env={"TASKCFG_ACTOR": "oncall"}).json  # fmt: skip
    applied.write("tasks.d/tasks.yaml", TASKS.replace("every: 7d", "every: 14d"))
    plan, document = applied.ok("plan").out, applied.ok("plan", "-o", "json").json
    applied.ok("apply", "--yes")
    shown = applied.ok("show", "billing.weekly", "-o", "json").json
    resumed = applied.ok("resume", "billing.*", "-o", "json").json

    assert [(task["name"], task["state"]) for task in paused["tasks"]] == [
        ("billing.daily", "paused"),
        ("billing.weekly", "paused"),
    ]
    assert paused["tasks"][0]["paused"]["by"] == "oncall"
    assert ', "INC-4211": stays paused\n' in plan and "      paused by oncall until " in plan
    assert [each["task"] for each in document["paused"]] == ["billing.daily", "billing.weekly"]
    assert (shown["state"], shown["paused"]["reason"], shown["next_fire_at"]) == ("paused", "INC-4211", None)
    assert [(task["state"], task["paused"]) for task in resumed["tasks"]] == [("active", None)] * 2


def test_acting_on_nothing_is_never_acting_on_all(applied: Project) -> None:
    for command in (["run"], ["pause", "--reason", "x"], ["resume"]):
        assert applied.run(*command).code == 64, command
        nothing = applied.run(*command, "nobody.*", "-o", "json")
        assert (nothing.code, nothing.json["error"]["code"]) == (1, "no_task_matches")
        unknown = applied.run(*command, "billing.dayly", "-o", "json")
        assert unknown.json["error"]["hint"] == "did you mean `billing.daily`?"
    assert applied.run("pause", "mail.digest").code == 64
    assert applied.run("pause", "mail.digest", "--reason", " ").code == 64
    past = applied.run("pause", "mail.digest", "--reason", "x", "--until", "2020-01-01", "-o", "json")
    assert (past.code, past.json["error"]["code"]) == (1, "invalid_pause")
    assert names(applied, "--state", "paused") == []


def test_an_operator_is_told_what_was_done(applied: Project) -> None:
    first = applied.ok("pause", "mail.digest", "--reason", "INC-1")
    second = applied.ok("pause", "mail.digest", "--reason", "INC-2\x1b[2J")
    resumed = applied.ok("resume", "mail.digest", "--missed", "latest")
    again = applied.ok("resume", "mail.digest")

    assert first.out == "mail.digest paused: INC-1\n"
    assert second.out == "mail.digest paused: INC-2?[2J\n"
    assert "was paused already, by " in second.err and ": INC-1\n" in second.err
    assert resumed.out.startswith("mail.digest resumed: next fire ")
    assert (again.out, again.err) == ("", "mail.digest is not paused.\n")


def test_tasks_are_chosen_by_name_glob_type_and_state(applied: Project) -> None:
    applied.ok("pause", "billing.daily", "--reason", "x")

    assert names(applied, "billing.*") == ["billing.daily", "billing.weekly"]
    assert names(applied, "*.d*", "--type", "cleanup") == ["billing.daily"]
    assert names(applied, "--state", "paused") == ["billing.daily"]
    assert names(applied, "--state", "active", "--type", "http") == ["mail.digest"]
    assert names(applied, "-l", "team=platform") == []
    fires = applied.ok("next", "billing.w*", "--count", "2", "-o", "json").json["fires"]
    assert [fire["task"] for fire in fires] == ["billing.weekly"] * 2
    ran = applied.ok("run", "--type", "cleanup", "-o", "json").json["fires"]
    assert [fire["task"] for fire in ran] == ["billing.daily", "billing.weekly"]
    events = applied.ok("events", "billing.*", "--type", "cleanup", "-o", "json").json["events"]
    assert sorted(event["task"] for event in events) == ["billing.daily", "billing.weekly"]
    assert applied.run("list", "-l", "team in").code == 64


def test_a_retired_task_is_listed_only_when_asked_for_and_cannot_be_paused(applied: Project) -> None:
    applied.write("tasks.d/tasks.yaml", TASKS.partition("  mail.digest")[0])
    applied.ok("apply", "--yes")

    assert names(applied) == names(applied, "*") == ["billing.daily", "billing.weekly"]
    assert names(applied, "--state", "retired") == ["mail.digest"]
    assert len(names(applied, "--state", "all")) == 3
    refused = applied.run("pause", "mail.digest", "--reason", "x", "-o", "json")
    assert (refused.code, refused.json["error"]["code"]) == (1, "retired_task")
    nothing = applied.ok("list", "mail*")
    assert (nothing.out, nothing.err) == ("", "No task matches.\n")


def test_a_scheduler_ends_a_pause_whose_time_came_while_none_ran(applied: Project) -> None:
    applied.ok("pause", "mail.digest", "--reason", "x", "--until", "8s")

    def ended() -> bool:
        applied.ok("scheduler", "--once")
        return applied.ok("show", "mail.digest", "-o", "json").json["paused"] is None

    eventually(ended)
    assert applied.ok("show", "mail.digest", "-o", "json").json["next_fire_at"] is not None
