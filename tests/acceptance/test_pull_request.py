"""What a pull request and the run of a workflow are told of a plan and of an apply."""

from pathlib import Path

import pytest

from acceptance.project import Project, declare


@pytest.fixture
def actions(ready: Project, tmp_path: Path) -> Path:
    """A folder with the files that GitHub Actions names to `ready`; what it says goes there."""
    ready.env |= {
        "GITHUB_ACTIONS": "true",
        "GITHUB_OUTPUT": str(tmp_path / "output"),
        "GITHUB_STEP_SUMMARY": str(tmp_path / "summary"),
    }
    return tmp_path


def outputs(folder: Path) -> dict[str, str]:
    lines = (folder / "output").read_text().splitlines()
    return dict(line.split("=", 1) for line in lines)


def test_a_plan_as_markdown_is_all_that_is_on_stdout(ready: Project) -> None:
    declare(ready, "nightly", "weekly", cron="30 1 * * *")

    shown = ready.ok("plan", "--format", "markdown")
    changes = ready.run("plan", "-o", "markdown", "--detailed-exitcode")

    assert shown.out.startswith(
        "<!-- taskcfg plan: main -->\n\n<h3>Plan for <code>main</code></h3>\n\n**Plan: 1 to add"
    )
    assert "<summary><code>~ nightly will be updated tasks.d/tasks.yaml:" in shown.out
    assert shown.err == ""
    assert (changes.code, changes.out[:28]) == (2, shown.out[:28])


def test_a_refusal_stands_in_the_comment(ready: Project) -> None:
    declare(ready)

    shown = ready.ok("plan", "--format", "markdown")

    assert ":no_entry: **Refused**" in shown.out
    assert "--allow-empty" in shown.out


def test_a_workflow_s_later_steps_and_its_page_are_told_of_a_plan(ready: Project, actions: Path) -> None:
    declare(ready, "weekly")

    shown = ready.ok("plan")

    assert shown.out.splitlines()[-1] == (
        line := "Plan: 1 to add, 0 to change, 1 to delete, 0 to rename. 0 unchanged."
    )
    assert outputs(actions) == {
        "has_changes": "true", "add": "1", "change": "0", "delete": "1", "rename": "0", "unchanged": "0",
        "summary": line,
    }  # fmt: skip
    assert "<h3>Plan for <code>main</code></h3>" in (actions / "summary").read_text()


def test_and_of_an_apply(ready: Project, actions: Path) -> None:
    declare(ready, "nightly", "weekly")

    ready.ok("apply", "--dry-run")
    assert (
        outputs(actions)["summary"] == "Plan: 1 to add, 0 to change, 0 to delete, 0 to rename. 1 unchanged."
    )
    ready.ok("apply", "--yes")

    assert outputs(actions)["summary"] == "Apply complete! Tasks: 1 added, 0 changed, 0 deleted, 0 renamed."
    assert outputs(actions)["has_changes"] == "true"
    page = (actions / "summary").read_text()
    assert "<h3>Applied to <code>main</code></h3>\n\n**Apply complete!" in page
    ready.ok("apply", "--yes")
    assert outputs(actions)["has_changes"] == "false"
    assert (actions / "summary").read_text().startswith(page)


def test_elsewhere_nothing_is_written_whatever_is_set(ready: Project, actions: Path) -> None:
    del ready.env["GITHUB_ACTIONS"]
    declare(ready, "weekly")

    ready.ok("plan")
    ready.ok("apply", "--yes")

    assert list(actions.glob("output")) + list(actions.glob("summary")) == []


@pytest.mark.parametrize("variable", ["GITHUB_OUTPUT", "GITHUB_STEP_SUMMARY"])
def test_a_file_of_the_forge_that_cannot_be_written(ready: Project, actions: Path, variable: str) -> None:
    ready.env[variable] = str(actions / "gone" / "file")
    declare(ready, "nightly", "weekly")

    planned, rehearsed = ready.run("plan"), ready.run("apply", "--dry-run")
    applied = ready.ok("apply", "--yes")

    told = f"`{ready.env[variable]}`, which ${variable} names, cannot be written: no such file or directory"
    assert (planned.code, rehearsed.code) == (1, 1)
    assert told in planned.err and told in rehearsed.err
    assert applied.out.endswith("Apply complete! Tasks: 1 added, 0 changed, 0 deleted, 0 renamed.\n")
    assert f"{told}; the plan was applied all the same" in applied.err
