"""`taskcfg db`: the schema, and what is said of one that does not fit."""

import sqlite3

import pytest

from acceptance.project import Project


def version_of(project: Project, version: str) -> None:
    """Make the database say that its tables are of *version*."""
    connection = sqlite3.connect(project.folder / ".taskcfg/taskcfg.db")
    with connection:
        connection.execute("UPDATE taskcfg_schema SET version_num = ?", [version])
    connection.close()


def test_an_upgrade_makes_the_tables_once(project: Project) -> None:
    first, second = (
        project.ok("db", "upgrade", "-o", "json").json,
        project.ok("db", "upgrade", "-o", "json").json,
    )

    assert first["before"] is None
    assert second == {"before": first["version"], "version": first["version"]}
    assert project.ok("db", "current").out == f"{first['version']}\n"
    assert project.ok("db", "current", "-o", "json").json == {"version": first["version"]}
    assert project.ok("db", "check").out == f"schema {first['version']}: up to date\n"


def test_no_tables_are_none_and_fail_the_check(project: Project) -> None:
    text, as_json = project.run("db", "check"), project.run("db", "check", "-o", "json")

    assert (text.code, as_json.code) == (1, 1)
    assert "no tables yet\n    run `taskcfg db upgrade`" in text.err
    assert as_json.json["error"]["code"] == "schema_mismatch"
    assert project.ok("db", "current").out == "none\n"


@pytest.mark.parametrize(
    ("version", "hint"),
    [("0000", "run `taskcfg db upgrade`"), ("9999", "upgrade taskcfg")],
    ids=["older", "newer"],
)
def test_tables_of_another_version_stop_every_command(project: Project, version: str, hint: str) -> None:
    project.ok("db", "upgrade")
    project.write("tasks.d/a.yaml", "tasks: {}\n")
    version_of(project, version)

    for name in ("db check", "plan", "apply", "list", "status", "scheduler --once"):
        done = project.run(*name.split())
        assert done.code == 1
        assert f"has schema {version}" in done.err
        assert hint in done.err


def test_a_newer_database_is_not_touched_by_an_upgrade(project: Project) -> None:
    project.ok("db", "upgrade")
    version_of(project, "9999")

    assert project.run("db", "upgrade").code == 1
    assert project.ok("db", "current").out == "9999\n"


def test_what_is_no_database_is_said_so(project: Project) -> None:
    project.write("notes.txt", "not a database " * 100)

    done = project.run("db", "upgrade", "--database-url", "sqlite:///notes.txt")

    assert done.code == 1
    assert "notes.txt is not a database" in done.err


def test_on_postgresql_too(production: Project) -> None:
    assert production.run("db", "check").code == 1
    assert production.ok("db", "upgrade", "-o", "json").json["before"] is None
    assert production.ok("db", "check").code == 0
