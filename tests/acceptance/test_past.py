"""`revisions`, `blame` and `rollback`: what was applied, by whom, and the way back."""

import pytest

from acceptance.project import Finished, Project, declare
from repositories import git_in
from waiting import eventually


def total(done: Finished) -> str:
    return done.out.splitlines()[-1]


@pytest.fixture
def told(ready: Project) -> Project:
    """Three revisions: `nightly` is made, gets another time and a sister, and is renamed by bob."""
    git = git_in(ready.folder, "Ann")
    ready.write(".gitignore", ".taskcfg/\n")
    git("init", "--quiet")
    declare(ready, "nightly", cron="30 1 * * *")
    declare(ready, "weekly", file="tasks.d/more.yaml")
    git("add", ".")
    git("commit", "--quiet", "--message", "Earlier, and weekly")
    ready.ok("apply", "--yes", env={"TASKCFG_ACTOR": "alice"})
    declare(ready, "nocturnal", cron="30 1 * * *")
    text = (ready.folder / "tasks.d/tasks.yaml").read_text()
    ready.write("tasks.d/tasks.yaml", f"{text}    renamed_from: nightly\n")
    (ready.folder / "tasks.d/more.yaml").unlink()
    ready.ok("apply", "--yes", env={"TASKCFG_ACTOR": "bob"})
    return ready


def test_revisions_are_listed_the_newest_first(told: Project) -> None:
    listed = told.ok("revisions", "-o", "json").json
    (second, first), text = listed["revisions"][1:], told.ok("revisions").out.splitlines()

    assert [each["revision"] for each in listed["revisions"]] == [3, 2, 1]
    assert listed["next_cursor"] is None
    assert second["commit"] == git_in(told.folder)("rev-parse", "HEAD")
    assert (second["actor"], second["author"], second["subject"]) == (
        "alice",
        "Ann <ann@example.org>",
        "Earlier, and weekly",
    )
    assert second["summary"] == {"add": 1, "change": 1, "delete": 0, "rename": 0, "unchanged": 0}
    assert (first["commit"], first["reason"]) == (None, None)
    assert text[0].split() == ["REVISION", "APPLIED", "SOURCE", "BY", "COMMIT", "CHANGES", "SUBJECT"]
    assert "+1 ~1" in text[2]
    assert ">1 -1" in text[1]


def test_a_page_ends_with_the_way_to_the_next(told: Project) -> None:
    page = told.ok("revisions", "--limit", "2", "-o", "json").json
    rest = told.ok("revisions", "--cursor", page["next_cursor"], "-o", "json").json

    assert [each["revision"] for each in page["revisions"] + rest["revisions"]] == [3, 2, 1]
    assert told.run("revisions", "--cursor", "x").code == 1
    assert told.ok("revisions", "--source", "other").err == "No revision matches.\n"


def test_one_revision_shows_what_it_changed(told: Project) -> None:
    second, third = told.ok("revisions", "2").out, told.ok("revisions", "3", "-o", "json").json

    assert "Ann <ann@example.org>" in second
    assert (
        '  ~ nightly updated\n      schedule.cron  "0 2 * * *" -> "30 1 * * *"\n  + weekly created\n'
        in second
    )
    assert [
        (each["address"], each["previous_address"], each["change"]["actions"]) for each in third["changes"]
    ] == [
        ("nocturnal", "nightly", ["rename"]),
        ("weekly", None, ["delete"]),
    ]
    assert told.run("revisions", "9").code == 1
    assert "there is no revision 9" in told.run("revisions", "9").err


def test_blame_goes_through_names_and_tells_what_was_done_by_hand(told: Project) -> None:
    by_hand = "UPDATE task_config SET owner = 'me' WHERE name = 'nocturnal'"
    told.sql(by_hand)

    report = told.ok("blame", "nocturnal", "-o", "json").json
    fields = {each["field"]: each for each in report["fields"]}
    text = told.ok("blame", "nocturnal").out

    assert (report["task"], report["source"]) == ("nocturnal", "main")
    assert (fields["type"]["revision"], fields["type"]["commit"]) == (1, None)
    assert (fields["schedule.cron"]["revision"], fields["schedule.cron"]["actor"]) == (2, "alice")
    assert fields["schedule.cron"]["author"] == "Ann <ann@example.org>"
    assert (fields["owner"]["value"], fields["owner"]["revision"]) == ("me", None)
    assert "by hand" in next(line for line in text.splitlines() if line.startswith("owner"))
    assert told.ok("blame", "weekly", "-o", "json").json["fields"]
    assert told.run("blame", "nobody").code == 1


def test_a_rollback_is_a_plan_and_a_revision_of_its_own(told: Project) -> None:
    told.ok("pause", "nocturnal", "--reason", "INC-1")

    rehearsed = told.ok("rollback", "1", "--dry-run")
    refused = told.run("rollback", "1")
    done = told.ok("rollback", "1", "--yes")

    assert "  > nightly will be renamed (was nocturnal); history and pauses kept" in rehearsed.out
    assert '"30 1 * * *" -> "0 2 * * *"' in rehearsed.out
    assert refused.code == 6
    assert total(done) == "Apply complete! Tasks: 0 added, 0 changed, 0 deleted, 1 renamed."
    (task,) = told.ok("list", "-o", "json").json["tasks"]
    assert (task["name"], task["schedule"], task["paused"]["reason"]) == (
        "nightly",
        {"cron": "0 2 * * *"},
        "INC-1",
    )
    newest = told.ok("revisions", "--limit", "1", "-o", "json").json["revisions"][0]
    assert (newest["revision"], newest["reason"]) == (4, "rollback to revision 1")
    assert told.ok("rollback", "1").out.startswith("No changes.")
    assert "> nocturnal will be renamed (was nightly)" in told.ok("plan").out


def test_a_rollback_brings_back_what_was_deleted(told: Project) -> None:
    told.ok("rollback", "2", "--yes")

    assert [task["name"] for task in told.ok("list", "-o", "json").json["tasks"]] == ["nightly", "weekly"]


def test_a_rollback_is_guarded_and_bound_to_its_source(told: Project) -> None:
    declare(told, *(f"t{number}" for number in range(9)), file="tasks.d/many.yaml")
    told.ok("apply", "--yes")

    guarded = told.run("rollback", "3", "--yes")
    other = told.run("rollback", "3", "--yes", "--source", "other")

    assert guarded.code == 5
    assert "`--max-delete 9`" in guarded.err
    assert other.code == 1
    assert "revision 3 is one of source `main`, and this is `other`" in other.err
    assert told.run("rollback", "99").code == 1


def test_a_rollback_that_a_scheduler_would_undo_is_refused(told: Project) -> None:
    scheduler = told.start("scheduler", "--watch")
    scheduler.wait_for(lambda: told.ok("status", "-o", "json").json["schedulers"])

    refused = told.run("rollback", "1", "--yes")
    told.ok("rollback", "1", "--yes", "--despite-sync")
    scheduler.stop()

    assert refused.code == 5
    assert "`--despite-sync`" in refused.err
    eventually(lambda: told.ok("rollback", "2", "--yes"))


HUGE = "9" * 30


def test_a_number_that_no_database_counts_to_is_no_revision(told: Project) -> None:
    for command in (("revisions", HUGE), ("rollback", HUGE)):
        assert told.run(*command).err.startswith(f"error: there is no revision {HUGE}")
    assert told.run("revisions", "--cursor", HUGE).err.startswith(f"error: `{HUGE}` is no cursor")


def test_a_revision_of_another_source_is_not_shown_as_this_ones(told: Project) -> None:
    done = told.run("revisions", "1", "--source", "other")

    assert done.code == 1
    assert done.err.startswith("error: revision 1 is one of source `main`, and this is `other`")


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ("nonsense", "it is no JSON"),
        ("7", "it is no list of changes"),
        ("[{}]", "it holds what is no change"),
        ('[{"action": "create", "name": "nocturnal"}]', "it holds a change that is not whole"),
    ],
)
def test_a_revision_that_somebody_wrote_over_cannot_be_read(told: Project, changes: str, why: str) -> None:
    told.sql(f"UPDATE revision SET changes = '{changes}' WHERE id = 2")

    for command in (("drift",), ("revisions", "2"), ("rollback", "3"), ("blame", "nocturnal")):
        done = told.run(*command)
        assert done.code == 1, command
        assert done.err.startswith("error: what revision 2 recorded cannot be read: "), done.err
        assert why in done.err or command[0] == "blame"
    assert "what revision 2 recorded cannot be read" in told.run("doctor").out
    assert told.ok("revisions").out


def test_blame_of_a_row_that_cannot_be_read_says_so(told: Project) -> None:
    told.sql("UPDATE task_config SET schedule = '[' WHERE name = 'nocturnal'")

    text, document = told.ok("blame", "nocturnal"), told.ok("blame", "nocturnal", "-o", "json").json

    assert text.err == (
        "nocturnal's row cannot be read: this was applied last. `taskcfg show nocturnal` says why.\n"
    )
    assert document["unreadable"] is True
    assert {each["field"]: each["value"] for each in document["fields"]}["schedule.cron"] == "30 1 * * *"


def test_blame_names_the_apply_that_undid_a_change_by_hand(told: Project) -> None:
    told.sql("UPDATE task_config SET source = 'other', priority = 9 WHERE name = 'nocturnal'")
    told.ok("apply", "--yes", "--adopt", "nocturnal")

    fields = {
        each["field"]: each["revision"] for each in told.ok("blame", "nocturnal", "-o", "json").json["fields"]
    }

    assert (fields["priority"], fields["schedule.cron"], fields["owner"]) == (4, 2, 1)
