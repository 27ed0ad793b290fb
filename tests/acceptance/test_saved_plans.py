"""`plan --out` and `apply FILE`: what was looked at is what is done, or nothing is."""

import json
import os
from pathlib import Path

import pytest

from acceptance.project import Project, declare
from repositories import git_in

DAMAGED = "de8a1ce98e32e4f030f3ba0d075b01b497fe9146e2f5a26d88d21f247d453c9b"
"""The digest of a plan that lacks what a plan has."""


def names(project: Project) -> list[str]:
    return [task["name"] for task in project.ok("list", "-o", "json").json["tasks"]]


def test_a_saved_plan_is_shown_and_then_done_without_asking(ready: Project) -> None:
    declare(ready, "nightly", "weekly", cron="30 1 * * *")

    planned = ready.ok("plan", "--out", "plan.json")
    assert names(ready) == ["nightly"]
    done = ready.ok("apply", "plan.json")

    assert "`taskcfg apply plan.json` does exactly this" in planned.err
    assert done.out.splitlines()[-1] == "Apply complete! Tasks: 1 added, 1 changed, 0 deleted, 0 renamed."
    assert "  ~ nightly will be updated" in done.out
    assert ready.ok("plan").out == "No changes. 2 tasks match the configuration.\n"


def test_the_file_is_readable_json_with_digests_and_versions(ready: Project) -> None:
    declare(ready, "nightly", cron="30 1 * * *")

    shown = ready.ok("plan", "--out", "plan.json", "-o", "json").json
    text = (ready.folder / "plan.json").read_text()
    saved = json.loads(text)

    assert len(text.splitlines()) > 20
    assert saved["base"]["rows"] == {"nightly": 1}
    assert list(saved["approved"]["files"]) == ["tasks.d/tasks.yaml"]
    beside = {"timestamp": saved["timestamp"], "approved": None, "digest": None}
    assert {**saved, "approved": None, "digest": None} == {**shown, **beside}


def test_it_is_stale_when_a_file_changed_and_says_which_and_by_whom(ready: Project) -> None:
    git = git_in(ready.folder)
    ready.write(".gitignore", ".taskcfg/\nplan.json\n")
    declare(ready, "nightly", "weekly")
    git("init", "--quiet")
    git("add", ".")
    git("commit", "--quiet", "--message", "First")
    ready.ok("plan", "--out", "plan.json")
    declare(ready, "nightly", "weekly", cron="30 1 * * *")
    git("commit", "--quiet", "--all", "--message", "Second")
    declare(ready, "monthly", file="tasks.d/more.yaml")

    stale = ready.run("apply", "plan.json")

    commit = git("rev-parse", "--short", "HEAD")
    assert stale.code == 3
    assert stale.err.startswith("error: 2 files changed since the plan was made: tasks.d/more.yaml is new")
    assert f"tasks.d/tasks.yaml is other (A, commit {commit})" in stale.err
    assert names(ready) == ["nightly"]


def test_it_is_stale_when_a_row_changed_and_says_who_did_it(ready: Project) -> None:
    declare(ready, "nightly", cron="30 1 * * *")
    ready.ok("plan", "--out", "plan.json")
    declare(ready, "nightly", cron="30 4 * * *")
    ready.ok("apply", "--yes", env={"TASKCFG_ACTOR": "alice"})
    declare(ready, "nightly", cron="30 1 * * *")

    stale = ready.run("apply", "plan.json", "-o", "json")

    assert stale.code == 3
    assert stale.json["error"]["code"] == "stale_plan"
    assert "`nightly` was changed by alice (revision 2)" in stale.json["error"]["message"]
    assert "30 4" in ready.ok("show", "nightly").out


def test_it_is_stale_when_a_row_was_changed_by_hand(ready: Project) -> None:
    declare(ready, "nightly", cron="30 1 * * *")
    ready.ok("plan", "--out", "plan.json")
    ready.sql("UPDATE task_config SET owner = 'me' WHERE name = 'nightly'")

    stale = ready.run("apply", "plan.json")

    assert stale.code == 3
    assert "`nightly` was changed in the database" in stale.err


def test_what_it_does_not_touch_may_move(ready: Project) -> None:
    declare(ready, "nightly", "other")
    ready.ok("apply", "--yes")
    declare(ready, "nightly", "other", "weekly")
    ready.ok("plan", "--out", "plan.json")
    ready.sql("UPDATE task_config SET owner = 'me' WHERE name = 'other'")

    done = ready.ok("apply", "plan.json")

    assert done.out.splitlines()[-1] == "Apply complete! Tasks: 1 added, 0 changed, 0 deleted, 0 renamed."
    assert "~ other will be updated" in ready.ok("plan").out


def test_it_is_done_once(ready: Project) -> None:
    declare(ready, "nightly", "weekly")
    ready.ok("plan", "--out", "plan.json")
    ready.ok("apply", "plan.json")

    assert ready.run("apply", "plan.json").code == 3


def test_the_guards_still_hold_and_a_rehearsal_changes_nothing(ready: Project) -> None:
    declare(ready)
    planned = ready.ok("plan", "--out", "plan.json")

    refused, rehearsed = ready.run("apply", "plan.json"), ready.run("apply", "plan.json", "--dry-run")
    done = ready.ok("apply", "plan.json", "--allow-empty")

    assert "apply will refuse this" in planned.err
    assert (refused.code, rehearsed.code) == (5, 5)
    assert done.out.splitlines()[-1] == "Apply complete! Tasks: 0 added, 0 changed, 1 deleted, 0 renamed."


def test_a_plan_of_some_files_is_applied_from_them_alone(ready: Project) -> None:
    declare(ready, "weekly", file="tasks.d/more.yaml")
    declare(ready, "nightly", cron="30 1 * * *")
    ready.ok("plan", "-f", "tasks.d/more.yaml", "--out", "plan.json")

    ready.ok("apply", "plan.json")

    assert names(ready) == ["nightly", "weekly"]
    assert "~ nightly will be updated" in ready.ok("plan").out


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "no such file or directory"),
        ("", "it is no JSON"),
        ("{}", "it is no saved plan"),
        ("[1]", "it is no saved plan"),
        ("\udcff", "it is no text"),
        ('{"approved": {}, "format_version": "9.0"}', "its format is '9.0', not 1.0"),
        (
            '{"approved": {"only": 5}, "format_version": "1.0", "base": 3}',
            "it is damaged, or was changed after it was written",
        ),
        (
            f'{{"approved": {{"only": 5}}, "format_version": "1.0", "base": 3, "digest": "{DAMAGED}"}}',
            "it is damaged (KeyError",
        ),
    ],
)
def test_what_is_no_plan_is_refused(ready: Project, content: str | None, said: str) -> None:
    if content is not None:
        (ready.folder / "plan.json").write_bytes(os.fsencode(content))

    refused = ready.run("apply", "plan.json")

    assert refused.code == 1
    assert refused.err.startswith("error: plan.json cannot be applied: ")
    assert said in refused.err


def test_what_was_read_in_it_is_what_is_approved(ready: Project) -> None:
    declare(ready, "nightly", cron="30 1 * * *")
    ready.ok("plan", "--out", "plan.json")
    saved = json.loads((ready.folder / "plan.json").read_text())
    laid_out_anew = json.dumps(dict(reversed(saved.items())))
    saved["resource_changes"][0]["change"]["after"]["schedule"]["cron"] = "0 4 * * *"
    ready.write("plan.json", json.dumps(saved))

    edited = ready.run("apply", "plan.json")
    ready.write("plan.json", laid_out_anew)
    as_it_was = ready.ok("apply", "plan.json")

    assert (edited.code, "it is damaged, or was changed after it was written" in edited.err) == (
        1,
        True,
    )
    assert (
        as_it_was.out.splitlines()[-1] == "Apply complete! Tasks: 0 added, 1 changed, 0 deleted, 0 renamed."
    )


def test_a_plan_of_another_database_or_source_is_refused(ready: Project, tmp_path: Path) -> None:
    declare(ready, "nightly", "weekly")
    ready.ok("plan", "--out", "plan.json")
    elsewhere = {"TASKCFG_DATABASE_URL": f"sqlite:///{tmp_path}/other.db"}
    ready.ok("db", "upgrade", env=elsewhere)

    database, source = (
        ready.run("apply", "plan.json", env=elsewhere),
        ready.run("apply", "plan.json", "--source", "b"),
    )

    assert (database.code, source.code) == (1, 1)
    assert "it was made from another database" in database.err
    assert "it is one of source `main`, and this is `b`" in source.err


def test_a_plan_that_cannot_be_written_is_an_error(ready: Project) -> None:
    failed = ready.run("plan", "--out", "nowhere/plan.json")

    assert failed.code == 1
    assert "nowhere/plan.json" in failed.err


@pytest.mark.parametrize("file", ["tasks.d/tasks.yaml", "tasks.d/plan.json", "environments/staging.yaml", ""])
def test_a_plan_is_not_written_over_what_is_read(ready: Project, file: str) -> None:
    before = (ready.folder / "tasks.d/tasks.yaml").read_text()

    done = ready.run("plan", "--out", file)

    assert done.code == 64
    assert "--out" in done.err
    assert (ready.folder / "tasks.d/tasks.yaml").read_text() == before


def test_what_is_nested_without_end_is_no_plan(ready: Project) -> None:
    ready.write("deep.json", "[" * 200_000)

    applied, compared = ready.run("apply", "deep.json"), ready.run("plan", "--against", "deep.json")

    assert (applied.code, compared.code) == (1, 1)
    assert "deep.json cannot be applied: it is no JSON" in applied.err
    assert "it is no JSON" in compared.err
