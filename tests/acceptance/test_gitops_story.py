"""One story of a team: a pull request, its plan, the merge, a hand in the database, and the way back.

All the while a scheduler and a worker run, and an audit at the end finds nothing lost and nothing doubled.
"""

from sqlalchemy import create_engine, text

from acceptance.project import Finished, Project
from repositories import git_in

WORK = "params: {target: execution_history, older_than: 30d}"
BEFORE = f"""\
tasks:
  tick: {{type: cleanup, schedule: {{every: 1s}}, overlap: allow, {WORK}}}
  edited: {{type: cleanup, schedule: {{cron: "0 2 * * *"}}, {WORK}}}
  old-name: {{type: cleanup, schedule: {{every: 1s}}, overlap: allow, {WORK}}}
  doomed: {{type: cleanup, schedule: {{every: 1d}}, {WORK}}}
"""
AFTER = f"""\
tasks:
  tick: {{type: cleanup, schedule: {{every: 1s}}, overlap: allow, {WORK}}}
  edited: {{type: cleanup, schedule: {{cron: "30 1 * * *"}}, {WORK}}}
  new-name: {{type: cleanup, schedule: {{every: 1s}}, overlap: allow, renamed_from: old-name, {WORK}}}
  added: {{type: cleanup, schedule: {{every: 1s}}, overlap: allow, {WORK}}}
"""


def names(project: Project) -> list[str]:
    return [task["name"] for task in project.ok("list", "-o", "json").json["tasks"]]


def total(done: Finished) -> str:
    return done.out.splitlines()[-1]


def by_hand(project: Project, statement: str) -> None:
    database = create_engine(project.env["TASKCFG_DATABASE_URL"])
    with database.begin() as connection:
        connection.execute(text(statement))
    database.dispose()


def fired(project: Project, name: str) -> int:
    return len(project.ok("history", name, "--state", "succeeded", "-o", "json").json["executions"])


def test_from_a_pull_request_to_a_rollback(production: Project) -> None:
    project, git = production, git_in(production.folder, "Ann")
    project.write(".gitignore", ".taskcfg/\nplan.json\nlive.json\n")
    project.write("tasks.d/tasks.yaml", BEFORE)
    git("init", "--quiet", "--initial-branch", "main")
    git("add", ".")
    git("commit", "--quiet", "--message", "The tasks")
    project.ok("db", "upgrade")
    project.ok("apply", "--yes")
    project.start("worker")
    scheduler = project.start("scheduler")
    scheduler.wait_for(lambda: fired(project, "old-name") > 1)
    project.ok("pause", "edited", "--reason", "INC-1")

    # The pull request: a mistake first, then a plan that needs no database.
    project.ok("snapshot", "--out", "live.json")
    git("checkout", "--quiet", "-b", "change")
    project.write("tasks.d/tasks.yaml", AFTER.replace("older_than", "oder_than", 1))
    broken = project.run("validate", "--format", "github")
    project.write("tasks.d/tasks.yaml", AFTER)
    git("commit", "--quiet", "--all", "--message", "Earlier, and a better name")
    nowhere = {"TASKCFG_DATABASE_URL": "postgresql://nobody@127.0.0.1:1/nothing"}
    comment = project.ok("plan", "--against", "live.json", "--format", "markdown", env=nowhere).out

    assert broken.code == 1
    assert broken.out.startswith("::error ")
    assert comment.startswith("<!-- taskcfg plan: main -->")
    assert "Plan: 1 to add, 1 to change, 1 to delete, 1 to rename. 1 unchanged." in comment

    # The merge, and exactly the plan that was looked at.
    git("checkout", "--quiet", "main")
    git("merge", "--quiet", "--no-ff", "--message", "Merge the change", "change")
    project.ok("plan", "--out", "plan.json")
    applied = project.ok("apply", "plan.json")

    assert total(applied) == "Apply complete! Tasks: 1 added, 1 changed, 1 deleted, 1 renamed."
    assert names(project) == ["added", "edited", "new-name", "tick"]
    assert fired(project, "new-name") > 1
    newest = project.ok("revisions", "--limit", "1", "-o", "json").json["revisions"][0]
    assert (newest["subject"], newest["commit"]) == ("Merge the change", git("rev-parse", "HEAD"))
    scheduler.wait_for(lambda: fired(project, "added") > 1)

    # A hand in the database is shown, and healed.
    by_hand(project, "UPDATE task_config SET priority = 9 WHERE name = 'edited'")
    drifted = project.run("drift", "--detailed-exitcode")
    project.ok("apply", "--yes")

    assert drifted.code == 2
    assert "priority  5 -> 9" in drifted.out
    assert project.ok("drift").out == "No drift. 4 tasks are as they were applied.\n"

    # And back: the id, the history and the pause go with the name.
    back = project.ok("rollback", "1", "--yes")

    assert total(back) == "Apply complete! Tasks: 1 added, 1 changed, 1 deleted, 1 renamed."
    assert names(project) == ["doomed", "edited", "old-name", "tick"]
    edited = next(task for task in project.ok("list", "-o", "json").json["tasks"] if task["name"] == "edited")
    assert (edited["schedule"], edited["paused"]["reason"]) == ({"cron": "0 2 * * *"}, "INC-1")
    fires = fired(project, "old-name")
    scheduler.wait_for(lambda: fired(project, "old-name") > fires)
    audit = project.run("doctor", "--audit", "--since", "1h")
    assert audit.code == 0, str(audit)
