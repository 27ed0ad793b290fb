"""`taskcfg plan` and `taskcfg apply`: what is shown is what is done, all of it or none of it."""

import os
import pty
import re
import subprocess
import sys
from collections.abc import Callable

import pytest

from acceptance.project import Finished, Project, command, declare
from repositories import git_in
from waiting import eventually


def total(done: Finished) -> str:
    return done.out.splitlines()[-1]


def timeless(done: Finished) -> str:
    """What it said, without how long it is until a fire: that has moved on when the next command looks."""
    return re.sub(r"\bin [\d dhms]+\b", "in a while", done.out)


def test_a_first_plan_creates_and_changes_nothing(project: Project) -> None:
    project.ok("db", "upgrade")
    declare(project, "nightly")

    first, second = project.ok("plan"), project.ok("plan")

    assert "  + nightly will be created                               tasks.d/tasks.yaml:2" in first.out
    assert total(first) == "Plan: 1 to add, 0 to change, 0 to delete, 0 to rename. 0 unchanged."
    assert timeless(second) == timeless(first)


def test_after_an_apply_there_is_nothing_to_do(ready: Project) -> None:
    assert ready.ok("plan").out == "No changes. 1 task matches the configuration.\n"
    assert ready.ok("apply").out == "No changes. 1 task matches the configuration.\n"
    assert ready.ok("diff").out == ready.ok("plan").out


def test_an_edit_shows_its_fields_and_is_applied(ready: Project) -> None:
    declare(ready, "nightly", cron="30 1 * * *")

    planned, applied = ready.ok("plan"), ready.ok("apply", "-y")

    assert '      schedule.cron  "0 2 * * *" -> "30 1 * * *"   (UTC)' in planned.out
    assert timeless(applied).splitlines()[:-1] == timeless(planned).splitlines()[:-1]
    assert total(applied) == "Apply complete! Tasks: 0 added, 1 changed, 0 deleted, 0 renamed."
    assert ready.ok("plan", "--detailed-exitcode").code == 0


def test_the_detailed_exit_code_says_whether_there_are_changes(ready: Project) -> None:
    assert ready.run("plan", "--detailed-exitcode").code == 0

    declare(ready, "nightly", "weekly")

    assert ready.run("plan", "--detailed-exitcode").code == 2
    assert ready.run("plan").code == 0


def test_a_deleted_task_is_retired_and_comes_back_when_declared_again(ready: Project) -> None:
    declare(ready, "weekly")
    gone = ready.ok("apply", "--yes")
    declare(ready, "weekly", "nightly")
    back = ready.ok("plan")

    assert "  - nightly will be deleted (not in source `main`)" in gone.out
    assert total(gone) == "Apply complete! Tasks: 1 added, 0 changed, 1 deleted, 0 renamed."
    assert "      restored: the retired task's history goes on; fires only from now" in back.out
    assert ready.ok("plan", "-o", "json").json["resource_changes"][0]["action_reason"] == "restored"


def test_order_and_comments_and_defaults_spelled_out_are_no_change(ready: Project) -> None:
    ready.write(
        "tasks.d/moved.yaml",
        "# moved\ntasks:\n  nightly:\n    enabled: true\n    timezone: UTC\n    priority: 5\n"
        "    params: {older_than: 2592000, target: execution_history}\n"
        '    schedule:\n      cron: "0 2 * * *"\n    type: cleanup\n',
    )
    (ready.folder / "tasks.d/tasks.yaml").unlink()

    assert ready.ok("plan").out == "No changes. 1 task matches the configuration.\n"


def test_the_plan_as_json(ready: Project) -> None:
    declare(ready, "nightly", "weekly", cron="30 1 * * *")

    plan = ready.ok("plan", "--format", "json").json

    assert plan["format_version"] == "1.0"
    assert plan["source"]["name"] == "main"
    assert plan["base"] == {"revision": 1, "rows": {"nightly": 1}}
    assert plan["summary"] == {"add": 1, "change": 1, "delete": 0, "rename": 0, "unchanged": 0}
    assert (plan["has_changes"], plan["errored"]) == (True, False)
    update, create = plan["resource_changes"]
    assert (update["address"], update["change"]["actions"]) == ("nightly", ["update"])
    assert update["change"]["before"]["schedule"] == {"cron": "0 2 * * *"}
    assert update["change"]["after"]["schedule"] == {"cron": "30 1 * * *"}
    assert update["range"] == {"filename": "tasks.d/tasks.yaml", "line": 2, "column": 3}
    assert (create["address"], create["change"]["actions"], create["change"]["before"]) == (
        "weekly",
        ["create"],
        None,
    )


def test_apply_as_json_adds_what_it_did(ready: Project) -> None:
    declare(ready, "nightly", cron="30 1 * * *")

    rehearsed = ready.ok("apply", "--dry-run", "-o", "json").json
    applied = ready.ok("apply", "--yes", "-o", "json").json
    again = ready.ok("apply", "--yes", "-o", "json").json

    assert (rehearsed["applied"], rehearsed["revision"]) == (False, None)
    assert (applied["applied"], applied["revision"]) == (True, 2)
    assert applied["resource_changes"] == rehearsed["resource_changes"]
    assert (again["applied"], again["revision"], again["has_changes"]) == (True, None, False)


def test_a_dry_run_changes_nothing(ready: Project) -> None:
    declare(ready, "nightly", cron="30 1 * * *")

    rehearsed = ready.ok("apply", "--dry-run")

    assert total(rehearsed).startswith("Plan: ")
    assert timeless(ready.ok("plan")) == timeless(rehearsed)


def test_without_a_terminal_changes_need_approval_beforehand(ready: Project) -> None:
    declare(ready, "weekly")

    text, as_json = ready.run("apply"), ready.run("apply", "--format", "json")

    assert (text.code, as_json.code) == (6, 6)
    assert "say `--yes`" in text.err
    assert total(text).startswith("Plan: ")
    assert as_json.json["error"]["code"] == "approval_needed"
    assert ready.run("plan", "--detailed-exitcode").code == 2


@pytest.mark.parametrize("flag", ["-y", "--yes", "--auto-approve"])
def test_approval_beforehand_has_three_spellings(project: Project, flag: str) -> None:
    project.ok("db", "upgrade")
    declare(project, "nightly")

    assert total(project.ok("apply", flag)).startswith("Apply complete!")


def test_broken_files_change_nothing_and_show_every_problem(ready: Project) -> None:
    ready.write("tasks.d/bad.yaml", "tasks:\n  a: {type: nope, schedule: manual}\n  b: {type: cleanup}\n")

    for name in ("plan", "apply"):
        text, as_json = ready.run(name), ready.run(name, "-o", "json")
        assert (text.code, text.out, as_json.code) == (1, "", 1)
        assert "tasks.d/bad.yaml:2:13: type: " in text.err
        assert "error: " in text.err.splitlines()[-2]
        assert as_json.json["error"]["code"] == "invalid_task_files"
        assert as_json.json["error"]["problems"][0]["file"] == "tasks.d/bad.yaml"

    (ready.folder / "tasks.d/bad.yaml").unlink()
    assert ready.ok("plan").out.startswith("No changes.")


def test_files_without_any_task_are_refused(ready: Project) -> None:
    declare(ready)

    planned = ready.ok("plan")
    refused, as_json = ready.run("apply", "--yes"), ready.run("apply", "--yes", "-o", "json")

    assert "apply will refuse this: the files declare no task" in planned.err
    assert (refused.code, as_json.code) == (5, 5)
    assert "`--allow-empty`" in refused.err
    assert as_json.json["error"]["code"] == "unsafe_plan"
    assert total(ready.ok("apply", "--yes", "--allow-empty")) == (
        "Apply complete! Tasks: 0 added, 0 changed, 1 deleted, 0 renamed."
    )


def test_a_missing_folder_is_an_error_not_a_deletion(ready: Project) -> None:
    (ready.folder / "tasks.d/tasks.yaml").unlink()
    (ready.folder / "tasks.d").rmdir()

    refused = ready.run("apply", "--yes", "--allow-empty")

    assert refused.code == 1
    assert "tasks.d" in refused.err
    declare(ready, "nightly")
    assert ready.ok("plan").out.startswith("No changes.")


def test_too_many_deletes_are_refused_until_the_number_is_said(project: Project) -> None:
    project.ok("db", "upgrade")
    declare(project, *(f"t{number}" for number in range(10)))
    project.ok("apply", "--yes")
    declare(project, *(f"t{number}" for number in range(5)))

    refused, rehearsed = project.run("apply", "--yes"), project.run("apply", "--dry-run")

    assert (refused.code, rehearsed.code) == (5, 5)
    assert "5 tasks of 10 would be deleted; at most 3 may be" in refused.err
    assert total(rehearsed) == "Plan: 0 to add, 0 to change, 5 to delete, 0 to rename. 5 unchanged."
    assert project.run("apply", "--yes", "--max-delete", "4").code == 5
    assert project.ok("apply", "--yes", env={"TASKCFG_MAX_DELETE": "5"}).code == 0


def test_a_name_of_another_source_is_refused(ready: Project) -> None:
    refused = ready.run("apply", "--yes", "--source", "team-b")

    assert refused.code == 5
    assert "task `nightly` belongs to source `main`" in refused.err


def test_a_source_deletes_only_its_own(ready: Project) -> None:
    declare(ready, "theirs", file="theirs.d/a.yaml")

    applied = ready.ok("apply", "--yes", "--source", "team-b", "--tasks-dir", "theirs.d")

    assert total(applied) == "Apply complete! Tasks: 1 added, 0 changed, 0 deleted, 0 renamed."
    assert ready.ok("plan").out.startswith("No changes. 1 task")


def test_a_subset_of_the_files_never_deletes(ready: Project) -> None:
    declare(ready, "weekly", file="elsewhere/new.yaml")

    planned = ready.ok("plan", "-f", "elsewhere/new.yaml")
    nowhere = ready.run("plan", "-f", "nowhere.yaml")

    assert total(planned) == "Plan: 1 to add, 0 to change, 0 to delete, 0 to rename. 0 unchanged."
    assert nowhere.code == 1
    assert "nowhere.yaml" in nowhere.err


@pytest.mark.parametrize(
    "name", ["plan", "apply", "list", "status", "run x", "history", "events", "show x", "next"]
)
def test_missing_tables_are_said_clearly(project: Project, name: str) -> None:
    declare(project, "nightly")

    done = project.run(*name.split())

    assert done.code == 1
    assert "has no tables yet" in done.err
    assert "`taskcfg db upgrade`" in done.err


def test_a_database_that_is_down_is_one_clear_line_without_the_password(project: Project) -> None:
    declare(project, "nightly")
    url = "postgresql://app:s3cret@127.0.0.1:1/nothing"

    text = project.run("plan", "--database-url", url)
    as_json = project.run("plan", "-o", "json", env={"TASKCFG_DATABASE_URL": url})

    assert (text.code, as_json.code) == (1, 1)
    assert text.err.startswith("error: the database postgresql://app:***@127.0.0.1:1/nothing cannot be used")
    assert len(text.err.splitlines()) == 2
    assert as_json.json["error"]["code"] == "database_unavailable"
    assert "s3cret" not in text.err + as_json.out


def test_a_lock_that_another_holds_is_waited_for_only_so_long(ready: Project) -> None:
    declare(ready, "weekly")
    holder = (
        "import sqlite3, sys; c = sqlite3.connect('.taskcfg/taskcfg.db', isolation_level=None);"
        "c.execute('BEGIN IMMEDIATE'); print('held', flush=True); sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", holder],
        cwd=ready.folder,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        refused = ready.run("apply", "--yes", "--lock-timeout", "0.3s")
        process.communicate()

    assert refused.code == 4
    assert "another apply still holds the lock after 0.3 s" in refused.err
    assert ready.ok("apply", "--yes", "--lock-timeout", "10s").code == 0


class Terminal:
    """`taskcfg` on a terminal of its own, answered as a person would."""

    def __init__(self, project: Project, *args: str) -> None:
        self.said = ""
        environment = {**os.environ, "HOME": str(project.folder), "TERM": "xterm"}
        self.pid, self._fd = pty.fork()
        if self.pid == 0:
            os.chdir(project.folder)
            os.execvpe(command(), [command(), *args], environment)

    def wait_for(self, text: str) -> None:
        def said() -> bool:
            self._read()
            return text in self.said

        eventually(said, message=lambda: f"no {text!r} in {self.said!r}")

    def type(self, text: str) -> None:
        os.write(self._fd, text.encode())

    def end(self) -> int:
        """Return the exit code."""
        while self._read():
            continue
        _, status = os.waitpid(self.pid, 0)
        os.close(self._fd)
        return os.waitstatus_to_exitcode(status)

    def _read(self) -> bool:
        try:
            said = os.read(self._fd, 65536)
        except OSError:  # Linux: the other end is closed
            return False
        self.said += said.decode()
        return bool(said)


@pytest.fixture
def terminal(ready: Project) -> Callable[..., Terminal]:
    return lambda *args: Terminal(ready, *args)


def test_at_a_terminal_it_asks_and_does_what_was_shown(
    ready: Project, terminal: Callable[..., Terminal]
) -> None:
    declare(ready, "nightly", "weekly")
    screen = terminal("apply")

    screen.wait_for("Apply these changes? [y/N]")
    screen.type("y\n")

    assert screen.end() == 0
    assert "+ weekly will be created" in screen.said
    assert "\x1b[" in screen.said
    assert "Apply complete! Tasks: 1 added" in screen.said
    assert ready.ok("plan").out.startswith("No changes.")


def test_anything_but_yes_applies_nothing(ready: Project, terminal: Callable[..., Terminal]) -> None:
    declare(ready, "nightly", "weekly")
    screen = terminal("apply")

    screen.wait_for("Apply these changes? [y/N]")
    screen.type("\n")

    assert screen.end() == 1
    assert "Nothing was applied." in screen.said
    assert ready.run("plan", "--detailed-exitcode").code == 2


def test_an_interrupted_question_is_exit_130(ready: Project, terminal: Callable[..., Terminal]) -> None:
    declare(ready, "nightly", "weekly")
    screen = terminal("apply")

    screen.wait_for("Apply these changes? [y/N]")
    screen.type("\x03")

    assert screen.end() == 130
    assert "Traceback" not in screen.said


def test_a_plan_that_changed_while_somebody_thought_about_it_is_stale(
    ready: Project, terminal: Callable[..., Terminal]
) -> None:
    declare(ready, "nightly", "weekly")
    screen = terminal("apply")
    screen.wait_for("Apply these changes? [y/N]")

    ready.ok("apply", "--yes")
    screen.type("y\n")

    assert screen.end() == 3
    assert "1 task changed since the plan was made: weekly" in screen.said


def test_the_commit_is_shown_where_there_is_one(ready: Project) -> None:
    git = git_in(ready.folder)
    ready.write(".gitignore", ".taskcfg/\n")
    git("init", "--quiet")
    git("add", ".")
    git("commit", "--quiet", "--message", "First")

    clean = ready.ok("plan", "-o", "json").json["source"]
    declare(ready, "weekly")
    dirty = ready.ok("plan", "-o", "json").json["source"]

    assert (clean["commit"], clean["dirty"]) == (git("rev-parse", "HEAD"), False)
    assert clean["repo"] == str(ready.folder)
    assert dirty["dirty"] is True


def test_the_same_on_postgresql(production: Project) -> None:
    production.ok("db", "upgrade")
    declare(production, "nightly", "weekly")
    first = production.ok("apply", "--yes", "-o", "json").json
    declare(production, "nightly", cron="30 1 * * *")
    second = production.ok("apply", "--yes")

    assert (first["revision"], first["summary"]["add"]) == (1, 2)
    assert total(second) == "Apply complete! Tasks: 0 added, 1 changed, 1 deleted, 0 renamed."
    assert production.ok("plan").out == "No changes. 1 task matches the configuration.\n"
    (task,) = production.ok("list", "-o", "json").json["tasks"]
    assert (task["name"], task["schedule"]) == ("nightly", {"cron": "30 1 * * *"})
    assert production.ok("run", "nightly", "-o", "json").json["fires"][0]["state"] == "pending"
    assert len(production.ok("events", "-o", "json").json["events"]) == 1
    assert production.ok("history", "-o", "json").json == {"executions": [], "next_cursor": None}
    assert production.ok("status", "-o", "json").json["tasks"]["retired"] == 1
