"""What changes in files or in the database takes effect, without a restart; what is broken does not."""

import json

import pytest

from acceptance.project import Background, Project
from waiting import eventually

WATCHED_WITHIN = 15.0
"""Less than the rescan that comes every 20 s anyway: so it was the watcher that saw the change."""

TASK = """\
tasks:
  {name}:
    type: cleanup
    schedule: {schedule}
    params: {{target: files, path: var, pattern: "*.tmp", older_than: 1d}}
"""


def declare(project: Project, name: str, schedule: str, file: str = "tasks.d/a.yaml") -> None:
    project.write(file, TASK.format(name=name, schedule=schedule))


def names(project: Project) -> list[str]:
    return [task["name"] for task in project.ok("list", "--format", "json").json["tasks"]]


def schedule_of(project: Project, name: str) -> object:
    return project.ok("show", name, "--format", "json").json["schedule"]


def fires(project: Project, name: str) -> int:
    return len(project.ok("events", name, "--format", "json").json["events"])


@pytest.fixture(params=["embedded", "production"])
def following(request: pytest.FixtureRequest, project: Project) -> Project:
    """A project with one task that never fires by itself, on each set of services, ready to schedule."""
    if request.param == "production":
        request.getfixturevalue("production")
    declare(project, "nightly", '{cron: "0 3 * * *"}')
    (project.folder / "var").mkdir()
    project.ok("db", "upgrade")
    project.ok("apply", "--yes")
    return project


def scheduler(project: Project, *flags: str) -> Background:
    background = project.start("scheduler", *flags)
    background.wait_for("scheduler.started")
    return background


def test_a_file_that_is_edited_added_or_deleted_is_followed(following: Project) -> None:
    watching = scheduler(following, "--watch")

    declare(following, "nightly", '{cron: "30 3 * * *"}')
    watching.wait_for("changed=1", timeout=WATCHED_WITHIN)
    assert schedule_of(following, "nightly") == {"cron": "30 3 * * *"}

    declare(following, "often", "{every: 1s}", "tasks.d/new/b.yaml")
    watching.wait_for("added=1", timeout=WATCHED_WITHIN)
    eventually(lambda: fires(following, "often") > 1, interval=0.3)

    (following.folder / "tasks.d/new/b.yaml").unlink()
    watching.wait_for("deleted=1", timeout=WATCHED_WITHIN)
    assert names(following) == ["nightly"]


def test_an_apply_from_another_process_takes_effect_without_a_restart(following: Project) -> None:
    scheduler(following)
    declare(following, "nightly", "{every: 1s}")
    following.ok("apply", "--yes")

    eventually(lambda: fires(following, "nightly") > 0)


def test_a_broken_file_keeps_the_last_good_state_in_force_and_says_so(following: Project) -> None:
    declare(following, "nightly", "{every: 1s}")
    watching = scheduler(following, "--watch")
    watching.wait_for("changed=1")

    following.write("tasks.d/a.yaml", "tasks:\n  nightly:\n    type: nonsense\n    schedule: {every: 5m}\n")
    watching.wait_for("source.kept")
    before = fires(following, "nightly")
    eventually(lambda: fires(following, "nightly") > before + 1, interval=0.3)
    status = following.ok("status", "--format", "json").json["sources"][0]
    assert status["in_sync"] is False
    assert "tasks.d/a.yaml:3:11" in json.dumps(status["problems"])
    assert "tasks.d/a.yaml:3:11" in following.ok("status").out

    declare(following, "nightly", "{every: 2s}")
    watching.wait_for("source.mended")
    assert following.ok("status", "--format", "json").json["sources"][0]["in_sync"] is True
    assert schedule_of(following, "nightly") == {"every": 2}


def test_an_emptied_folder_stops_nothing_until_somebody_applies_by_hand(following: Project) -> None:
    watching = scheduler(following, "--watch")

    (following.folder / "tasks.d/a.yaml").unlink()
    watching.wait_for("source.kept", timeout=WATCHED_WITHIN)

    assert names(following) == ["nightly"]
    assert "--allow-empty" in following.ok("status").out
    assert following.run("apply", "--yes").code == 5
    following.ok("apply", "--yes", "--allow-empty")
    assert names(following) == []


def test_a_folder_that_is_gone_stops_nothing(following: Project) -> None:
    watching = scheduler(following, "--watch")

    (following.folder / "tasks.d").rename(following.folder / "away")
    watching.wait_for("source.kept", timeout=WATCHED_WITHIN)
    assert names(following) == ["nightly"]

    (following.folder / "away").rename(following.folder / "tasks.d")
    watching.wait_for("source.mended", timeout=WATCHED_WITHIN)
