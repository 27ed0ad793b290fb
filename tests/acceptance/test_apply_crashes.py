"""`kill -9` in the middle of an apply leaves all of it, or nothing."""

import pytest

from acceptance.project import Project, declare

POINTS = ["apply.before_materialise", "apply.after_materialise", "apply.before_commit", "apply.after_commit"]
AFTER = """\
tasks:
  edited:
    type: cleanup
    schedule: {cron: "30 1 * * *"}
    params: {target: execution_history, older_than: 30d}
  renamed:
    type: cleanup
    schedule: {cron: "0 2 * * *"}
    params: {target: execution_history, older_than: 30d}
    renamed_from: nightly
  added:
    type: cleanup
    schedule: {every: 1h}
    params: {target: execution_history, older_than: 30d}
"""


def state(project: Project) -> tuple[list[str], int, str]:
    """Return the live names, how many revisions there are, and what a plan says last."""
    names = [task["name"] for task in project.ok("list", "-o", "json").json["tasks"]]
    revisions = project.ok("revisions", "-o", "json").json["revisions"]
    return names, len(revisions), project.ok("plan").out.splitlines()[-1]


@pytest.mark.parametrize("point", POINTS)
def test_an_apply_that_is_killed_is_whole_or_never_was(project: Project, point: str) -> None:
    project.ok("db", "upgrade")
    declare(project, "nightly", "edited", "doomed")
    project.ok("apply", "--yes")
    project.write("tasks.d/tasks.yaml", AFTER)
    before = state(project)

    killed = project.run("apply", "--yes", env={"TASKCFG_FAILPOINTS": f"{point}=exit"})
    after = state(project)
    project.ok("apply", "--yes")

    assert killed.code not in (0, 1)
    whole = (["added", "edited", "renamed"], 2, "No changes. 3 tasks match the configuration.")
    assert after == (whole if point == "apply.after_commit" else before)
    assert state(project) == whole
