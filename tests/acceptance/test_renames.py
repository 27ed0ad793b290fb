"""`renamed_from`: another name, the same task."""

from acceptance.project import Project, declare

DIGEST = """\
tasks:
  email.digest:
    type: cleanup
    schedule: {cron: "0 2 * * *"}
    params: {target: execution_history, older_than: 30d}
    renamed_from: nightly
"""


def test_history_and_pause_follow_a_task_to_its_new_name(ready: Project) -> None:
    (fire,) = ready.ok("run", "nightly", "-o", "json").json["fires"]
    ready.ok("pause", "nightly", "--reason", "INC-4211")
    ready.write("tasks.d/tasks.yaml", DIGEST)

    planned = ready.ok("plan", "-o", "json").json
    shown = ready.ok("plan").out
    done = ready.ok("apply", "--yes")

    (change,) = planned["resource_changes"]
    assert (change["address"], change["previous_address"]) == ("email.digest", "nightly")
    assert change["change"]["actions"] == ["rename"]
    assert planned["summary"] == {"add": 0, "change": 0, "delete": 0, "rename": 1, "unchanged": 0}
    assert shown.startswith("Symbols: > rename\n")
    assert "  > email.digest will be renamed (was nightly); history and pauses kept\n" in shown
    assert '"INC-4211": stays paused' in shown
    assert done.out.splitlines()[-1] == "Apply complete! Tasks: 0 added, 0 changed, 0 deleted, 1 renamed."
    assert [each["id"] for each in ready.ok("events", "email.digest", "-o", "json").json["events"]] == [
        fire["id"]
    ]
    assert ready.ok("list", "-o", "json").json["tasks"][0]["paused"]["reason"] == "INC-4211"
    assert ready.ok("plan").out == "No changes. 1 task matches the configuration.\n"


def test_a_renamed_task_may_change_besides(ready: Project) -> None:
    ready.write("tasks.d/tasks.yaml", DIGEST.replace('"0 2', '"30 1'))

    planned = ready.ok("plan", "-o", "json").json
    shown = ready.ok("plan").out
    ready.ok("apply", "--yes")

    (change,) = planned["resource_changes"]
    assert change["change"]["actions"] == ["rename", "update"]
    assert 'schedule.cron  "0 2 * * *" -> "30 1 * * *"   (UTC)' in shown
    assert ready.ok("plan").out == "No changes. 1 task matches the configuration.\n"


def test_an_audit_follows_the_task_through_its_names(ready: Project) -> None:
    declare(ready, "other")
    ready.write("tasks.d/more.yaml", DIGEST)
    ready.ok("apply", "--yes")
    ready.write(
        "tasks.d/more.yaml", DIGEST.replace('"0 2', '"30 1').replace("    renamed_from: nightly\n", "")
    )
    ready.ok("apply", "--yes")

    audited = ready.ok("doctor", "--audit", "--since", "1h")

    assert "gap" not in audited.out + audited.err
