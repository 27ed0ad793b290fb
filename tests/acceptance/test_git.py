"""Schedulers that pull from git, as a user meets them."""

import signal
import sqlite3
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from acceptance.project import Project, declare
from services.git_server import GitServer, Repository, tasks
from waiting import eventually

PASSWORD = "hunter2"


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    return Repository(tmp_path / "repo")


@pytest.fixture
def server(repository: Repository) -> Iterator[GitServer]:
    server = GitServer(repository, "me", PASSWORD)
    yield server
    server.close()


def pulling(project: Project, url: str, **env: str) -> Project:
    """Have *project* follow the repository at *url*, asking seldom: what is tested comes by `sync`."""
    project.env |= {"TASKCFG_GIT_URL": url, "TASKCFG_GIT_INTERVAL": "1h", **env}
    project.ok("db", "upgrade")
    return project


def rules(project: Project) -> dict[str, Any]:
    return {each["name"]: each["schedule"]["cron"] for each in project.ok("list", "-o", "json").json["tasks"]}


def source(project: Project) -> dict[str, Any]:
    found = project.ok("status", "-o", "json").json["sources"]
    return dict(found[0]) if found else {"revision": None}


def synced(project: Project, code: int = 0) -> dict[str, Any]:
    done = project.run("sync", "-o", "json")
    assert done.code == code, done
    assert isinstance(done.json, dict)
    return done.json


def test_a_push_is_live_after_sync_and_a_broken_one_never(project: Project, server: GitServer) -> None:
    repository = server.repository
    first = repository.declare("a", "b", subject="Two tasks")
    pulling(project, f"http://me:{PASSWORD}@{server.host}/repo")
    scheduler = project.start("scheduler")
    scheduler.wait_for("source.applied source=main revision=1")
    assert source(project)["commit"] == first

    second = repository.declare("a", "b", "c", subject="And a third")
    told = project.ok("sync")
    assert told.out.splitlines() == [
        f"commit {second[:12]} (And a third, by Ann <ann@example.org>)",
        "revision 2",
        "Apply complete! Tasks: 1 added, 0 changed, 0 deleted, 0 renamed.",
    ]

    broken = repository.commit("Oops", {"tasks.d/a.yaml": "tasks:\n  a: {type: nothing}\n"})
    refused = project.run("sync")
    assert refused.code == 1
    assert f"commit {broken[:12]}: tasks.d/a.yaml:2:" in refused.err
    assert "error: " in refused.err and "problem" in refused.err
    assert set(rules(project)) == {"a", "b", "c"}
    assert source(project)["in_sync"] is False
    assert f"commit {broken[:12]}: tasks.d/a.yaml:2:" in project.ok("status").out

    repository.git("reset", "-q", "--hard", first)
    outcome = synced(project)
    assert (outcome["commit"], outcome["revision"], outcome["by"]) == (first, 3, "scheduler")
    assert outcome["summary"]["delete"] == 1
    assert set(rules(project)) == {"a", "b"}
    assert source(project)["problems"] == []

    server.down = True
    away = synced(project, 1)
    assert away["error"]["code"] == "unreachable_repository"
    assert set(rules(project)) == {"a", "b"}
    ended = scheduler.stop(signal.SIGTERM)
    assert ended.code == 0
    said = [ended.err, refused.err, project.ok("status").out, str(away)]
    assert not any(PASSWORD in text for text in said)


def test_the_interval_alone_brings_a_push_live(project: Project, repository: Repository) -> None:
    repository.declare("a")
    pulling(project, repository.url, TASKCFG_GIT_INTERVAL="1s")
    scheduler = project.start("scheduler")
    scheduler.wait_for("revision=1")

    repository.declare("a", "b")

    scheduler.wait_for("revision=2")
    assert set(rules(project)) == {"a", "b"}


def test_flags_say_what_is_followed(project: Project, repository: Repository) -> None:
    repository.git("checkout", "-q", "-b", "prod")
    repository.commit("Elsewhere", {"ops/schedules/a.yaml": tasks("a")})
    project.ok("db", "upgrade")

    flags = ("--git", repository.url, "--ref", "prod", "--path", "ops/schedules")
    project.ok("scheduler", "--once", *flags)

    assert set(rules(project)) == {"a"}
    assert project.ok("show", "a", "-o", "json").json["file"] == "ops/schedules/a.yaml"


def test_killed_while_it_fetches_the_next_one_fetches_anew(project: Project, server: GitServer) -> None:
    server.repository.declare("a")
    pulling(project, f"http://me:{PASSWORD}@{server.host}/repo")
    server.go.clear()
    scheduler = project.start("scheduler")
    scheduler.wait_for(server.holding.is_set)

    scheduler.kill()
    server.go.set()

    again = project.start("scheduler")
    again.wait_for("source.applied source=main revision=1")
    assert set(rules(project)) == {"a"}


def test_stopped_while_it_fetches_it_ends_at_once_and_blames_nothing(
    project: Project, server: GitServer
) -> None:
    server.repository.declare("a")
    pulling(project, f"http://me:{PASSWORD}@{server.host}/repo")
    server.go.clear()
    scheduler = project.start("scheduler")
    scheduler.wait_for(server.holding.is_set)

    ended = scheduler.stop(signal.SIGTERM, timeout=10)

    assert ended.code == 0
    assert "source.problem" not in ended.err
    eventually(lambda: not project.processes(), timeout=10)


@pytest.mark.parametrize("point", ["git.after_fetch", "git.after_read", "sync.taken", "apply.before_commit"])
def test_killed_anywhere_a_commit_is_applied_once_and_whole(
    project: Project, repository: Repository, point: str
) -> None:
    repository.declare("a", "b")
    pulling(project, repository.url)
    asked = None
    if point == "sync.taken":
        project.ok("scheduler", "--once")
        asked = project.start("scheduler", env={"TASKCFG_FAILPOINTS": f"{point}=exit"})
        asked.wait_for("scheduler.started")
        waiting = project.start("sync")
    scheduler = asked or project.start("scheduler", env={"TASKCFG_FAILPOINTS": f"{point}=exit"})
    assert scheduler.end(point).code == 137

    project.start("scheduler")

    if asked is not None:
        assert waiting.end("the next scheduler").code == 0
    eventually(lambda: set(rules(project)) == {"a", "b"}, timeout=30)
    assert source(project)["revision"] == 1
    assert not list((project.folder / ".taskcfg" / "git").glob("*/read-*"))


def test_two_schedulers_apply_each_commit_once(production: Project, repository: Repository) -> None:
    pulling(production, repository.url, TASKCFG_GIT_INTERVAL="1s")
    repository.declare("a")
    schedulers = [production.start("scheduler") for _ in range(2)]
    eventually(lambda: source(production)["revision"] == 1, timeout=30)

    for minute in (1, 2):
        repository.declare("a", cron=f"{minute} 2 * * *")
        assert synced(production)["commit"] == repository.git("rev-parse", "HEAD")

    assert rules(production) == {"a": "2 2 * * *"}
    applied = "".join(each.err for each in schedulers).count("source.applied")
    assert applied == source(production)["revision"] == 3


def test_when_the_one_that_pulls_is_killed_another_does(production: Project, repository: Repository) -> None:
    pulling(production, repository.url)
    repository.declare("a")
    first = production.start("scheduler")
    first.wait_for("revision=1")
    second = production.start("scheduler")
    second.wait_for("scheduler.started")

    first.kill()
    repository.declare("a", "b")

    assert synced(production)["revision"] == 2
    second.wait_for("revision=2")


def test_without_a_scheduler_sync_does_it_here(project: Project, repository: Repository) -> None:
    repository.declare(*"abcdefgh")
    pulling(project, repository.url)
    assert synced(project)["revision"] == 1
    repository.declare("a", "b")

    refused = project.run("sync")
    assert refused.code == 5
    assert "--max-delete 6" in refused.err
    allowed = project.ok("sync", "--max-delete", "6")

    assert allowed.out.splitlines()[-1] == "Apply complete! Tasks: 0 added, 0 changed, 6 deleted, 0 renamed."


def test_sync_says_when_there_is_nobody_to_ask(ready: Project) -> None:
    alone = ready.run("sync")
    assert alone.code == 1
    assert "no scheduler follows source `main`" in alone.err

    scheduler = ready.start("scheduler")
    scheduler.wait_for("scheduler.started")
    nobody = ready.run("sync")
    assert nobody.code == 1
    assert "no scheduler follows source `main`" in nobody.err


def test_a_scheduler_that_watches_is_asked_in_the_same_way(ready: Project) -> None:
    scheduler = ready.start("scheduler", "--watch")
    scheduler.wait_for("scheduler.started")
    declare(ready, "nightly", "daily")

    outcome = synced(ready)

    assert outcome["by"] == "scheduler"
    assert set(rules(ready)) == {"nightly", "daily"}


def test_up_pulls_where_a_repository_is_set(project: Project, repository: Repository) -> None:
    repository.declare("a")
    project.env |= {"TASKCFG_GIT_URL": repository.url}

    project.start("up").wait_for("source.applied source=main revision=1")

    assert set(rules(project)) == {"a"}


def test_doctor_asks_the_repository_and_tells_of_drift(project: Project, repository: Repository) -> None:
    repository.declare("a")
    pulling(project, repository.url, TASKCFG_RECONCILE="report")
    project.ok("scheduler", "--once")
    with sqlite3.connect(project.folder / ".taskcfg" / "taskcfg.db") as database:
        database.execute("UPDATE task_config SET priority = 9")
    project.ok("scheduler", "--once")
    assert "changed in the database by hand: a" in project.ok("sync").out
    project.ok("scheduler", "--once")

    checks = {each["check"]: each for each in project.run("doctor", "-o", "json").json["checks"]}
    repository.git("branch", "-m", "gone")
    without = {each["check"]: each for each in project.run("doctor", "-o", "json").json["checks"]}

    assert checks["repository"]["reason"] == f"`main` is at {repository.git('rev-parse', 'HEAD')[:12]}"
    assert "task_files" not in checks
    assert checks["sources"]["reason"] == "1 task changed by hand since the last apply: `a`"
    assert checks["sources"]["level"] == "warn"
    assert without["repository"]["level"] == "fail"


def test_two_things_to_follow_are_one_too_many(project: Project, repository: Repository) -> None:
    refused = project.run("scheduler", "--watch", "--git", repository.url)

    assert refused.code == 64
    assert "choose one" in refused.err


def test_a_checkout_of_what_is_followed_plans_to_no_change(project: Project, repository: Repository) -> None:
    repository.declare("a")
    pulling(project, repository.url)
    project.ok("sync")
    subprocess.run(["git", "clone", "-q", repository.url, str(project.folder / "clone")], check=True)
    url = f"sqlite:///{project.folder}/.taskcfg/taskcfg.db"

    plan = project.ok("plan", "--detailed-exitcode", "--database-url", url, cwd="clone")

    assert plan.out.splitlines()[-1] == "No changes. 1 task matches the configuration."
    assert "another place" not in plan.out + plan.err
