"""`taskcfg validate`: every problem at once, with its place and what to do; offline and light."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from acceptance.project import Project

ROOT = Path(__file__).parents[2]
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


ODD = """\
tasks:
  reports:
    type: http
    schedule:
      - {cron: "0 9 * * MON"}
      - cron: "30 9 1-7 * TUE"
    params: {url: "https://example.org/"}
  polls:
    type: http
    schedule: {cron: "*/7 * * * *"}
    params: {url: "https://example.org/"}
    timeout: 10m
"""
ALL_WARNINGS = """\
tasks.d/odd.yaml:6:15: warning: schedule[1].cron: fires when either day field matches: 124 times in YEAR; \
both match 12 times
    for both, write `cron: {minute: 30, hour: 9, day: 1-7, day_of_week: TUE}`; for either, a list of two \
schedules says so
tasks.d/odd.yaml:10:22: warning: schedule.cron: minute `*/7` begins anew each hour: the last interval is \
4 minutes, not 7
    write `every: 7m` for an even one
tasks.d/odd.yaml:12:14: warning: timeout: 10m is longer than the 4m between two fires: \
a fire is skipped while an earlier one runs
    a timeout of at most 4m, fires that are farther apart, or another `overlap`
No problems: 2 tasks in 1 file, 3 warnings
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


def test_what_is_likely_not_meant_is_said_with_what_to_do(project: Project) -> None:
    project.write("tasks.d/odd.yaml", ODD)

    lenient, strict = project.run("validate"), project.run("validate", "--strict")
    document = project.run("validate", "-o", "json").json

    assert lenient.code == 0
    # How often depends on the coming year; the unit tests hold the numbers against the days.
    assert re.sub(r"[0-9]+ times in 20[0-9]{2}", "124 times in YEAR", lenient.out) == ALL_WARNINGS
    assert strict.code == 1
    assert strict.out.splitlines()[-1] == "3 problems in 1 of 1 file"
    assert document["valid"] is True
    assert [(each["severity"], each["task"], each["field"]) for each in document["problems"]] == [
        ("warning", "reports", "schedule[1].cron"),
        ("warning", "polls", "schedule.cron"),
        ("warning", "polls", "timeout"),
    ]


def test_a_plan_and_an_apply_say_it_on_stderr_and_go_on(project: Project) -> None:
    project.write("tasks.d/odd.yaml", ODD)

    project.ok("db", "upgrade")
    planned, applied = project.run("plan"), project.run("apply", "--yes")

    assert (planned.code, applied.code) == (0, 0)
    for done in (planned, applied):
        assert done.err.count("warning: ") == 3
        assert "warning: " not in done.out
        assert "tasks.d/odd.yaml:10:22: warning: schedule.cron: minute `*/7` begins anew" in done.err


def test_no_task_of_ours_is_warned_of(project: Project) -> None:
    folders = [ROOT / "tasks.d", *sorted((ROOT / "examples").glob("*/tasks.d"))]

    project.ok("validate", "--strict", str(ROOT / "tasks.d"))
    assert "warning: " not in project.run("validate", *map(str, folders)).out


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
