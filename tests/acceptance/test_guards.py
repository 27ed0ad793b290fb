"""What apply refuses until somebody says, by a flag, that it is meant."""

from pathlib import Path

import pytest

from acceptance.project import Finished, Project, declare
from repositories import git_in

PROTECTED = """\
tasks:
  nightly:
    type: cleanup
    schedule: {cron: "0 2 * * *"}
    params: {target: execution_history, older_than: 30d}
    protect: true
"""


def total(done: Finished) -> str:
    return done.out.splitlines()[-1]


def refused(project: Project, *args: str) -> Finished:
    """Apply, which a guard refuses without changing anything."""
    done = project.run("apply", "--yes", *args)
    assert done.code == 5, str(done)
    return done


def test_a_protected_task_is_kept_also_when_its_file_is_gone(ready: Project) -> None:
    ready.write("tasks.d/tasks.yaml", PROTECTED)
    declare(ready, "weekly", file="tasks.d/other.yaml")
    ready.ok("apply", "--yes")
    (ready.folder / "tasks.d/tasks.yaml").unlink()

    planned, done = ready.ok("plan"), refused(ready)

    assert "apply will refuse this: `nightly` is protected, and would be deleted" in planned.err
    assert "`--ignore-protect nightly`" in done.err
    assert total(ready.ok("apply", "--yes", "--ignore-protect", "nightly")).endswith("1 deleted, 0 renamed.")


def test_a_task_of_another_source_is_taken_over_only_by_name(ready: Project) -> None:
    declare(ready, "nightly", "weekly", cron="30 1 * * *", file="other/jobs.yaml")
    other = ("--source", "other", "--tasks-dir", "other")

    planned, done = ready.run("plan", *other), refused(ready, *other)
    adopted = ready.ok("plan", *other, "--adopt", "nightly", "--out", "plan.json")
    applied = ready.ok("apply", *other, "plan.json")

    places = "declared at other/jobs.yaml:2, there at tasks.d/tasks.yaml:2"
    both = f"task `nightly` belongs to source `main` ({places})"
    assert (planned.code, both in planned.err, both in done.err) == (5, True, True)
    assert "adopted: it belongs to source `main`, and will to `other`" in adopted.out
    assert total(applied) == "Apply complete! Tasks: 1 added, 1 changed, 0 deleted, 0 renamed."
    assert ready.ok("show", "nightly", "-o", "json").json["source"] == "other"
    assert "task `nightly` belongs to source `other`" in refused(ready).err


def test_an_adopted_task_keeps_its_history_and_its_pause(ready: Project) -> None:
    ready.ok("run", "nightly")
    ready.ok("pause", "nightly", "--reason", "INC-1")
    declare(ready, "nightly", file="other/jobs.yaml")

    done = ready.ok("apply", "--yes", "--source", "other", "--tasks-dir", "other", "--adopt", "nightly")

    assert '"INC-1": stays paused' in done.out
    assert ready.ok("drift").out == "No drift. 0 tasks are as they were applied.\n"
    assert len(ready.ok("events", "nightly", "-o", "json").json["events"]) == 1
    assert ready.ok("list", "-o", "json").json["tasks"][0]["paused"]["reason"] == "INC-1"


def test_files_of_another_folder_are_not_applied_by_accident(ready: Project) -> None:
    declare(ready, "weekly", file="other/jobs.yaml")

    planned, done = ready.ok("plan", "--tasks-dir", "other"), refused(ready, "--tasks-dir", "other")
    meant = ready.ok("apply", "--yes", "--tasks-dir", "other", "--adopt-source")
    back = refused(ready)

    assert "apply will refuse this: source `main` was applied from" in planned.err
    assert f"{ready.folder}/tasks.d before, and this is {ready.folder}/other" in done.err
    assert "`--adopt-source`" in done.err
    assert total(meant) == "Apply complete! Tasks: 1 added, 0 changed, 1 deleted, 0 renamed."
    assert f"from {ready.folder}/other before" in back.err


def test_files_of_another_folder_that_change_nothing_do_not_make_it_the_sources(ready: Project) -> None:
    declare(ready, "nightly", file="other/jobs.yaml")

    same = ready.ok("apply", "--yes", "--tasks-dir", "other")
    declare(ready, "nightly", "weekly")
    ready.ok("apply", "--yes")
    declare(ready, "nightly", "weekly", file="other/jobs.yaml")
    ready.ok("apply", "--yes", "--tasks-dir", "other", "--adopt-source")
    declare(ready, "nightly")

    assert same.out == "No changes. 1 task matches the configuration.\n"
    assert f"from {ready.folder}/other before" in refused(ready).err


def test_another_clone_of_the_same_repository_is_the_same_place(ready: Project, tmp_path: Path) -> None:
    ready.write(".gitignore", ".taskcfg/\n")
    git = git_in(ready.folder)
    git("init", "--quiet")
    git("add", ".")
    git("commit", "--quiet", "--message", "First")
    declare(ready, "nightly", "weekly")
    ready.ok("apply", "--yes")
    git("commit", "--quiet", "--all", "--message", "Second")
    git("clone", "--quiet", str(ready.folder), str(tmp_path / "clone"))
    git_in(tmp_path / "clone")("remote", "set-url", "origin", f"{ready.folder}/")
    (tmp_path / "clone/tasks.d/tasks.yaml").write_text("tasks: {}\n")
    elsewhere = ("--tasks-dir", str(tmp_path / "clone/tasks.d"), "--allow-empty")

    assert total(ready.ok("apply", "--yes", *elsewhere)).endswith("2 deleted, 0 renamed.")


@pytest.mark.parametrize("flag", ["--ignore-protect", "--adopt"])
def test_a_flag_for_what_is_not_there_does_no_harm(ready: Project, flag: str) -> None:
    assert ready.ok("apply", "--yes", flag, "nobody").out == "No changes. 1 task matches the configuration.\n"
