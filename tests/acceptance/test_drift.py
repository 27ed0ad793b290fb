"""`taskcfg drift`: what somebody changed by hand."""

from acceptance.project import Project, declare


def test_what_is_as_it_was_applied_is_no_drift(project: Project) -> None:
    project.ok("db", "upgrade")
    assert project.ok("drift").out == "No drift. 0 tasks are as they were applied.\n"
    declare(project, "nightly")
    project.ok("apply", "--yes")
    declare(project, "nightly", cron="30 1 * * *")

    assert project.ok("drift", "--detailed-exitcode").out == "No drift. 1 task is as it was applied.\n"


def test_each_field_is_shown_as_applied_and_as_it_is(ready: Project) -> None:
    declare(ready, "nightly", "weekly", "gone")
    ready.ok("apply", "--yes")
    ready.sql("UPDATE task_config SET owner = 'me', priority = 9 WHERE name = 'nightly'")
    ready.sql("UPDATE task_config SET retired_at = 1 WHERE name = 'gone'")
    ready.sql("UPDATE task_config SET schedule = '[' WHERE name = 'weekly'")

    done, found = ready.run("drift", "--detailed-exitcode"), ready.ok("drift", "-o", "json").json

    assert done.code == 2
    assert done.out == (
        "  - gone is gone: it was retired or deleted by hand\n"
        "  ~ nightly was changed by hand\n"
        '      owner     null -> "me"\n'
        "      priority  5 -> 9\n"
        "  ~ weekly was changed by hand\n"
        "      its row cannot be read\n"
        "\n"
        "Drift: 2 changed, 0 added, 1 gone. 0 as applied.\n"
    )
    assert [each["address"] for each in found["resource_drift"]] == ["gone", "nightly", "weekly"]
    assert found["resource_drift"][1]["fields"][0] == {"field": "owner", "before": None, "after": "me"}
    planned = ready.ok("plan", "-o", "json").json["resource_drift"]
    assert [each["address"] for each in planned] == ["nightly", "weekly"]
    assert planned[0] == found["resource_drift"][1]


def test_a_row_that_was_added_is_drift_and_one_changed_back_is_none(ready: Project) -> None:
    ready.sql("UPDATE task_config SET priority = 9")
    ready.sql("UPDATE task_config SET priority = 5")
    columns = (
        "source, type, schedule, timezone, params, policy, spec_digest, labels, enabled, priority, protect,"
        " created_at, updated_at"
    )
    ready.sql(f"INSERT INTO task_config (name, {columns}) SELECT 'sneaky', {columns} FROM task_config")

    assert ready.ok("drift").out == (
        "  + sneaky was added by hand\n\nDrift: 0 changed, 1 added, 0 gone. 1 as applied.\n"
    )


def test_an_apply_puts_it_right(ready: Project) -> None:
    ready.sql("UPDATE task_config SET owner = 'me'")

    ready.ok("apply", "--yes")

    assert ready.ok("drift").out == "No drift. 1 task is as it was applied.\n"


def test_status_and_doctor_say_which_tasks_were_changed_by_hand(ready: Project) -> None:
    ready.sql("UPDATE task_config SET owner = 'me'")
    edited, warned = ready.ok("status", "-o", "json").json, ready.run("doctor")
    ready.sql("UPDATE task_config SET owner = NULL")
    changed_back = ready.ok("status", "-o", "json").json

    reason = "changed by hand since it was applied: `taskcfg drift` shows what"
    assert edited["attention"] == [{"task": "nightly", "reason": reason}]
    assert [source["in_sync"] for source in edited["sources"]] == [False]
    assert "1 task changed by hand since the last apply: `nightly`" in warned.out
    assert changed_back["attention"] == []
    assert [source["in_sync"] for source in changed_back["sources"]] == [True]


def test_a_source_that_was_never_applied_is_not_one_without_drift(ready: Project) -> None:
    done = ready.run("drift", "--source", "typo", "-o", "json")

    assert done.code == 1
    assert done.json["error"] == {
        "code": "unknown_source",
        "message": "nothing was applied for source `typo`",
        "hint": "this database has `main`",
    }


def test_doctor_tells_of_whole_rows_too(ready: Project) -> None:
    ready.sql("UPDATE task_config SET retired_at = 1")
    retired = ready.run("doctor")
    ready.sql("UPDATE task_config SET retired_at = NULL, name = 'other'")
    renamed = ready.run("doctor")

    assert "1 task changed by hand since the last apply: `nightly`" in retired.out
    assert "2 tasks changed by hand since the last apply: `nightly`, `other`" in renamed.out


def test_a_row_that_cannot_be_read_is_not_a_task_that_is_not_there(ready: Project) -> None:
    declare(ready, "nightly", "weekly")
    ready.ok("apply", "--yes")
    ready.sql("UPDATE task_config SET schedule = '[' WHERE name = 'weekly'")
    said = "weekly cannot be read: `taskcfg show weekly` says why.\n"

    named, among_all = ready.run("next", "weekly"), ready.run("next", "--count", "1")
    counted = ready.run("heatmap", "weekly")

    assert (named.code, named.out, named.err) == (1, "", said)
    assert (among_all.code, among_all.err) == (1, said)
    assert "nightly" in among_all.out
    assert (counted.code, counted.err) == (1, said)
    assert ready.ok("status", "-o", "json").json["attention"][0]["task"] == "weekly"
