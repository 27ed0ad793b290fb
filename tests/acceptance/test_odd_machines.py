"""A full disk, missing rights, odd bytes: one clear error, exit code 1, nothing half done, and on it goes."""

import os
import resource
import shutil
import signal
import sqlite3
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from acceptance.project import TRACEBACK, Finished, Project, command
from waiting import eventually

DATABASE = ".taskcfg/taskcfg.db"
PARAMS = "{target: execution_history, older_than: 30d}"
TASKS = f"tasks:\n  tick: {{type: cleanup, schedule: %s, params: {PARAMS}}}\n"


def prepare(project: Project, schedule: str = "manual") -> None:
    project.write("tasks.d/a.yaml", TASKS % schedule)
    project.ok("db", "upgrade")
    project.ok("apply", "--yes")


def one_error(finished: Finished, *words: str) -> None:
    """It failed, in one error and its hint, which say all *words*."""
    assert finished.code == 1, str(finished)
    assert finished.err.count("error: ") == 1 and "internal error" not in finished.err, str(finished)
    assert [word for word in words if word not in finished.err] == [], str(finished)
    assert len(finished.err.splitlines()) <= 2, str(finished)


SOME = (("apply", "--yes"), ("list",), ("db", "upgrade"), ("up",))


def test_a_file_that_is_no_database_or_a_damaged_one_is_told_by_every_command(project: Project) -> None:
    prepare(project)
    whole = (project.folder / DATABASE).read_bytes()

    (project.folder / DATABASE).write_text("this is a letter to the editor, and no database at all")
    for words in SOME:
        one_error(project.run(*words), DATABASE, "is not a database", "is `database_url` right?")

    (project.folder / DATABASE).write_bytes(whole[:5000] + b"\xa5" * 60_000)
    for words in SOME[:3]:
        one_error(project.run(*words), DATABASE, "is damaged", "restore it from a backup")


def test_a_schema_that_this_version_does_not_know_is_refused_by_every_command(project: Project) -> None:
    prepare(project)
    with sqlite3.connect(project.folder / DATABASE) as database:
        database.execute("UPDATE taskcfg_schema SET version_num = '9999'")
    database.close()

    for words in (*SOME, ("scheduler", "--once"), ("worker",)):
        one_error(project.run(*words), DATABASE, "schema 9999, newer than this version's", "upgrade taskcfg")


def test_tables_taken_away_by_hand_are_named_and_no_command_leads_in_a_circle(project: Project) -> None:
    prepare(project)
    with sqlite3.connect(project.folder / DATABASE) as database:
        database.execute("DROP TABLE task_pause")
    database.close()

    one_error(project.run("list"), "task_pause", "run `taskcfg db upgrade`")
    one_error(project.run("db", "upgrade"), "task_pause", "restore the database from a backup")
    one_error(project.run("db", "check"), "task_pause", "restore the database from a backup")


@pytest.mark.skipif(
    os.getuid() != 0 or shutil.which("setpriv") is None, reason="needs root, to become somebody else"
)
def test_somebody_without_rights_is_told_what_cannot_be_read_or_written(project: Project) -> None:
    prepare(project)
    for folder in (project.folder, *project.folder.parents):
        if folder == Path(tempfile.gettempdir()):
            break
        folder.chmod(0o711)  # pytest's own are for nobody else
    for words in SOME[:3]:
        one_error(as_nobody(project, *words), DATABASE, "is read-only")
    one_error(as_nobody(project, "up"), ".taskcfg: Permission denied")

    (project.folder / ".taskcfg").chmod(0o700)
    one_error(as_nobody(project, "list"), DATABASE, "cannot be opened")

    settings = project.write("taskcfg.toml", "")
    settings.chmod(0o600)
    one_error(as_nobody(project, "validate"), "taskcfg.toml: Permission denied")


def as_nobody(project: Project, *words: str) -> Finished:
    done = subprocess.run(
        ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", command(), *words],
        cwd=project.folder,
        env=project._environment({"HOME": "/"}),
        capture_output=True,
        encoding="utf-8",
        check=False,
    )
    if done.returncode in (126, 127):
        pytest.skip("nobody else may run this Python")
    return Finished(words, done.returncode, done.stdout, done.stderr)


@contextmanager
def no_room(*processes: psutil.Process) -> Iterator[None]:
    """Let no file of *processes* be written beyond its first byte, as on a full disk."""
    for process in processes:
        process.rlimit(psutil.RLIMIT_FSIZE, (1, resource.RLIM_INFINITY))
    yield
    for process in processes:
        process.rlimit(psutil.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))


@pytest.mark.skipif(not hasattr(psutil, "RLIMIT_FSIZE"), reason="Linux only")
def test_up_outlives_a_disk_without_room_and_loses_nothing(project: Project) -> None:
    prepare(project, "{every: 1s}, overlap: allow")
    up = project.start("up", traceback_ok=True)
    up.wait_for("execution.succeeded")
    parent = psutil.Process(up.pid)
    family = parent.children(recursive=True)

    with no_room(*family):
        up.wait_for("scheduler | ")
        up.wait_for("database.unavailable")
        full = project.run("run", "tick")
        assert full.code == 0, "the others still have room"
    up.wait_for("database.recovered")

    after = up.err.count("execution.succeeded")
    up.wait_for(lambda: up.err.count("execution.succeeded") > after + 2)
    assert {child.pid for child in parent.children()} <= {process.pid for process in family}
    up.stop(signal.SIGTERM)
    project.start("up").wait_for("execution.succeeded")
    eventually(lambda: settled(project))
    assert gaps(project) == []


def fires(project: Project) -> list[tuple[str, int]]:
    database = sqlite3.connect(project.folder / DATABASE)
    found = database.execute(
        "SELECT state, nominal_at FROM schedule_event WHERE kind = 'scheduled' ORDER BY nominal_at"
    ).fetchall()
    database.close()
    return found


def settled(project: Project) -> bool:
    states = [state for state, _ in fires(project)]
    return bool(states) and set(states[:-2]) == {"done"}


def gaps(project: Project) -> list[int]:
    instants = [instant // 1_000_000 for _, instant in fires(project)]
    return sorted({*range(instants[0], instants[-1] + 1)} - {*instants})


def test_a_command_without_room_says_so_and_leaves_nothing_half_done(project: Project) -> None:
    limited = f"ulimit -f 0; exec {command()} init new"

    done = subprocess.run(
        ["bash", "-c", limited],
        cwd=project.folder,
        env=project._environment(None),
        capture_output=True,
        encoding="utf-8",
        check=False,
    )

    assert (done.returncode, TRACEBACK in done.stderr) == (1, False), done.stderr
    assert done.stderr.startswith("error: new/taskcfg.toml: File too large")
    assert [path for path in (project.folder / "new").rglob("*") if path.is_file()] == []


def test_what_is_closed_or_undecodable_is_a_mistake_and_no_fault_of_ours(project: Project) -> None:
    prepare(project)
    closed = subprocess.run(
        ["bash", "-c", f"exec {command()} validate - <&-"],
        cwd=project.folder,
        env=project._environment(None),
        capture_output=True,
        encoding="utf-8",
        check=False,
    )
    assert (closed.returncode, "stdin is closed" in closed.stderr) == (64, True), closed.stderr

    for words in (("list", "\udcff"), ("show", "\udcff"), ("run", "\udcff")):
        refused = project.run(*words)
        assert "internal error" not in refused.err and refused.code in (1, 64), str(refused)
    project.write("tasks.d/\udcff.yaml", TASKS.replace("tick", "tock") % "manual")
    assert "2 tasks in 2 files" in project.ok("validate").out
    project.ok("apply", "--yes")


@pytest.mark.parametrize(
    ("variables", "said"),
    [
        ({"TASKCFG_DATABASE_URL": "postgresql://u@127.0.0.1:9/x?foo=bar"}, "database_url: invalid"),
        ({"TASKCFG_BROKER_URL": "memory://"}, "broker_url: `memory` lives in one process"),
    ],
)
def test_a_setting_that_can_never_work_is_refused(
    project: Project, variables: dict[str, str], said: str
) -> None:
    one_error(project.run("scheduler", "--once", env=variables), said)


def test_a_broker_that_is_away_is_told_and_the_fire_goes_out_when_it_is_back(project: Project) -> None:
    prepare(project)
    project.ok("run", "tick")

    away = project.run("scheduler", "--once", "--broker-url", "redis://127.0.0.1:9/0")

    assert away.code == 1, str(away)
    assert "error: 1 fire could not be published: " in away.err
    assert "nothing is lost" in away.err
    eventually(lambda: project.run("scheduler", "--once").code == 0)
    (fire,) = project.ok("events", "-o", "json").json["events"]
    assert fire["state"] == "published"


def test_a_settings_file_that_cannot_be_read_is_never_taken_for_none(project: Project) -> None:
    (project.folder / "taskcfg.toml").mkdir()

    one_error(project.run("validate"), "taskcfg.toml: Is a directory")


def test_postgres_refusals_are_told_with_what_to_do(project: Project, postgres_url: str) -> None:
    project.write("tasks.d/a.yaml", TASKS % "manual")
    missing = postgres_url.rpartition("/")[0] + "/no_such_database"

    one_error(project.run("list", "--database-url", missing), "no_such_database", "does not exist")
