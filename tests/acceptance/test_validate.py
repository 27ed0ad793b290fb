"""`taskcfg validate`: every problem at once, with its place and what to do; offline and light."""

import subprocess
import sys

import pytest

from acceptance.project import Project

HEAVY = {"alembic", "apscheduler", "celery", "httpx", "kombu", "psycopg2", "sqlalchemy", "watchdog"}

GOOD = """\
tasks:
  nightly:
    type: cleanup
    schedule: {cron: "0 2 * * *"}
    params: {target: execution_history, older_than: 30d}
"""
BAD = """\
tasks:
  nightly:
    type: cleanup
    schedule: {cron: "0 0 30 2 *"}
    params: {target: execution_history, older_then: 30d}
  weekly:
    type: clenup
    schedule: manual
"""
ALL_PROBLEMS = """\
tasks.d/bad.yaml:4:22: schedule.cron: `0 0 30 2 *` never fires
tasks.d/bad.yaml:5:5: params.older_than: missing
tasks.d/bad.yaml:5:41: params.older_then: unknown field
    did you mean `older_than`?
tasks.d/bad.yaml:7:11: type: no type is named `clenup`
    did you mean `cleanup`?
4 problems in 1 of 2 files
"""


def test_all_problems_are_shown_at_once_with_their_places(project: Project) -> None:
    project.write("tasks.d/good.yaml", GOOD.replace("nightly", "other"))
    project.write("tasks.d/bad.yaml", BAD)

    done = project.run("validate")

    assert done.code == 1
    assert done.out == ALL_PROBLEMS


def test_the_same_as_json(project: Project) -> None:
    project.write("tasks.d/bad.yaml", BAD)

    done = project.run("validate", "--format", "json")

    assert done.code == 1
    assert done.err == ""
    assert done.json.keys() == {"valid", "files", "tasks", "problems"}
    assert (done.json["valid"], done.json["files"]) == (False, 1)
    first = done.json["problems"][0]
    assert first.keys() == {
        "file", "line", "column", "task", "field", "message", "hint", "severity", "also",
    }  # fmt: skip
    assert (first["file"], first["line"], first["task"], first["field"], first["severity"]) == (
        "tasks.d/bad.yaml",
        4,
        "nightly",
        "schedule.cron",
        "error",
    )


def test_valid_files_are_counted(project: Project) -> None:
    project.write("tasks.d/a.yaml", GOOD)
    project.write("tasks.d/below/b.yml", GOOD.replace("nightly", "other"))

    assert project.ok("validate").out == "No problems: 2 tasks in 2 files\n"
    assert project.ok("validate", "-o", "json").json == {
        "valid": True,
        "files": 2,
        "tasks": 2,
        "problems": [],
    }


def test_a_name_declared_twice_names_both_places(project: Project) -> None:
    project.write("tasks.d/a.yaml", GOOD)
    project.write("tasks.d/b.yaml", GOOD)

    text = project.run("validate").out
    (problem,) = project.run("validate", "-o", "json").json["problems"]

    assert "task `nightly` is declared twice" in text
    assert "    also at tasks.d/" in text
    assert {problem["file"], problem["also"]["file"]} == {"tasks.d/a.yaml", "tasks.d/b.yaml"}


def test_single_files_and_folders_are_checked_together(project: Project) -> None:
    project.write("one/a.yaml", GOOD)
    project.write("two.yaml", GOOD)
    project.write("three.yaml", BAD)

    done = project.run("validate", "one", "two.yaml")

    assert done.code == 1
    assert "declared twice" in done.out
    assert done.out.splitlines()[-1].endswith(" of 2 files")


def test_paths_given_are_shown_as_seen_from_here(project: Project) -> None:
    project.write("taskcfg.toml", "")
    project.write("below/bad.yaml", BAD)

    assert project.run("validate", "bad.yaml", cwd="below").out.startswith("bad.yaml:4:22: ")


def test_stdin_is_one_file(project: Project) -> None:
    good = project.run("validate", "-", input=GOOD)
    bad = project.run("validate", "-", input=BAD)

    assert (good.code, good.out) == (0, "No problems: 1 task in 1 file\n")
    assert bad.code == 1
    assert bad.out.startswith("<stdin>:4:22: ")


def test_stdin_goes_with_no_other_path(project: Project) -> None:
    assert project.run("validate", "-", "a.yaml").code == 64


@pytest.mark.parametrize("path", ["nowhere", "nowhere.yaml"])
def test_what_cannot_be_read_is_an_error_never_an_empty_folder(project: Project, path: str) -> None:
    done = project.run("validate", path)

    assert done.code == 1
    assert path in done.err + done.out
    assert "No problems" not in done.out


def test_a_project_without_a_tasks_folder_is_an_error(project: Project) -> None:
    done = project.run("validate")

    assert done.code == 1
    assert "tasks.d" in done.err


def test_the_tasks_folder_is_a_setting(project: Project) -> None:
    project.write("schedules/a.yaml", GOOD)

    assert project.ok("validate", "--tasks-dir", "schedules").code == 0
    assert project.ok("validate", env={"TASKCFG_TASKS_DIR": "schedules"}).code == 0


def test_warnings_are_problems_only_when_told_so(project: Project) -> None:
    project.write("tasks.d/empty.yaml", "")

    lenient, strict = project.run("validate"), project.run("validate", "--strict")

    assert (lenient.code, strict.code) == (0, 1)
    assert "warning: " in lenient.out
    assert lenient.out.splitlines()[-1] == "No problems: 0 tasks in 1 file, 1 warning"
    assert strict.out.splitlines()[-1] == "1 problem in 1 of 1 file"
    assert project.run("validate", "-o", "json").json["problems"][0]["severity"] == "warning"


def test_control_characters_in_a_file_do_not_reach_the_terminal(project: Project) -> None:
    project.write("tasks.d/a.yaml", 'tasks:\n  "a\\e[31mb": {type: cleanup, schedule: manual}\n')

    done = project.run("validate")

    assert done.code == 1
    assert "\x1b" not in done.out + done.err


def test_validating_imports_no_database_and_no_broker(project: Project) -> None:
    project.write("tasks.d/a.yaml", GOOD)
    program = (
        "import sys; from taskcfg_cli.main import main; sys.argv[1:] = ['validate']; code = main();"
        "print(*sys.modules, file=sys.stderr); sys.exit(code)"
    )

    done = subprocess.run(
        [sys.executable, "-c", program], cwd=project.folder, capture_output=True, text=True, check=True
    )

    assert HEAVY & set(done.stderr.split()) == set()
