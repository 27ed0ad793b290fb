"""`snapshot` and `plan --against`: a plan where no database is."""

from acceptance.project import Project, declare

NOWHERE = {"TASKCFG_DATABASE_URL": "postgresql://nobody@127.0.0.1:1/none"}


def test_a_plan_against_a_snapshot_needs_no_database_and_says_the_same(ready: Project) -> None:
    written = ready.ok("snapshot", "--out", "live.json")
    declare(ready, "nightly", "weekly", cron="30 1 * * *")

    with_database = ready.run("plan", "--detailed-exitcode", "-o", "json")
    without = ready.run("plan", "--against", "live.json", "--detailed-exitcode", "-o", "json", env=NOWHERE)

    assert written.err == "1 task written to live.json\n"
    assert (written.out, ready.read("live.json").count("\n") > 30) == ("", True)
    assert (without.code, with_database.code) == (2, 2)
    assert without.err.startswith("Compared with the snapshot of 20")
    assert without.json.keys() == with_database.json.keys()
    for key in without.json.keys() - {"timestamp", "resource_changes"}:
        assert without.json[key] == with_database.json[key], key
    changes = [[each["address"], each["change"]] for each in without.json["resource_changes"]]
    assert changes == [[each["address"], each["change"]] for each in with_database.json["resource_changes"]]


def test_the_guards_speak_too_and_a_saved_plan_can_be_applied(ready: Project) -> None:
    ready.ok("snapshot", "--out", "live.json")
    declare(ready)
    refused = ready.ok("plan", "--against", "live.json", env=NOWHERE)
    declare(ready, "weekly")
    ready.ok("plan", "--against", "live.json", "--out", "plan.json", env=NOWHERE)

    done = ready.ok("apply", "plan.json")

    assert "apply will refuse this" in refused.err
    assert done.out.splitlines()[-1] == "Apply complete! Tasks: 1 added, 0 changed, 1 deleted, 0 renamed."


def test_stdout_holds_the_document_that_out_writes(ready: Project) -> None:
    ready.write("dense.json", ready.ok("snapshot", "-o", "json").out)

    shown = ready.ok("plan", "--against", "dense.json", env=NOWHERE)

    assert shown.out == "No changes. 1 task matches the configuration.\n"


def test_what_is_no_snapshot_of_this_source_is_refused_with_what_to_do(ready: Project) -> None:
    ready.ok("snapshot", "--out", "live.json")
    ready.write("cut.json", ready.read("live.json")[:-99])

    missing = ready.run("plan", "--against", "nothing.json")
    cut = ready.run("plan", "--against", "cut.json", "-o", "json")
    other = ready.run("plan", "--against", "live.json", "--source", "web")
    adopting = ready.run("plan", "--against", "live.json", "--adopt", "nightly")

    assert (missing.code, cut.code, other.code, adopting.code) == (1, 1, 1, 64)
    assert "nothing.json cannot be planned against: no such file or directory" in missing.err
    assert cut.json["error"]["code"] == "invalid_snapshot"
    assert "it is of source `main`, and these files are of source `web`" in other.err
    assert "`taskcfg snapshot --out FILE`" in other.err
