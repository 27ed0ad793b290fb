"""The workflows in examples/pull-requests: each is what its forge takes, and each step of them is run."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml

from acceptance.forge import SOMEBODY, Comment, Forge, Ran, open_forge, run_script
from acceptance.project import Project, command
from repositories import ALONE, git_in

EXAMPLE = Path(__file__).parents[2] / "examples" / "pull-requests"
WORKFLOW = ".github/workflows/taskcfg.yml"
PIPELINE = ".gitlab-ci.yml"
HERE = Path(sys.executable).parent
EDIT = ("every: 5m", "every: 2h")


@dataclass
class Runner:
    """A repository at a forge, and what runs its pipelines: each job in a fresh clone."""

    origin: Path
    clone: Path
    forge: Forge
    home: Path
    database: str
    installed: set[str] = field(default_factory=set)
    jobs: int = 0

    def edit(self, branch: str, old: str, new: str) -> None:
        """Push an edit of the tasks to *branch*."""
        git = git_in(self.clone)
        git("switch", "-q", "-C", branch)
        file = self.clone / "tasks.d/web.yaml"
        text = file.read_text()
        assert old in text
        file.write_text(text.replace(old, new))
        git("commit", "-qam", f"{new} on {branch}")
        git("push", "-q", "-f", "origin", branch)

    def merge(self, branch: str) -> None:
        git = git_in(self.clone)
        git("switch", "-q", "main")
        git("merge", "-q", "--no-ff", "-m", f"Merge {branch}", branch)
        git("push", "-q", "origin", "main")

    def checkout(self, branch: str) -> Path:
        self.jobs += 1
        folder = self.home / f"job{self.jobs}" / "checkout"
        folder.parent.mkdir()
        git_in(self.home)(
            "clone", "-q", "--depth", "1", "--branch", branch, f"file://{self.origin}", str(folder)
        )
        return folder

    def environment(self, own: Mapping[str, str]) -> dict[str, str]:
        path = f"{Path(command()).parent}:{HERE}:/usr/bin:/bin"
        alone = {**ALONE, "PATH": path, "HOME": str(self.home), "LANG": "C.UTF-8", "PIP_NO_INDEX": "1"}
        return {**alone, "PIP_DISABLE_PIP_VERSION_CHECK": "1", **own}

    def run(self, script: str, folder: Path, environment: Mapping[str, str], *options: str) -> Ran:
        """Run it; what was installed once is there."""
        if script.startswith("pip install "):
            if script in self.installed:
                return Ran(script, 0, "", "")
            self.installed.add(script)
        return run_script(script, folder, environment, *options)


@pytest.fixture
def runner(tmp_path: Path, project: Project, postgres_url: str) -> Iterator[Runner]:
    origin, clone, home = (tmp_path / name for name in ("origin.git", "clone", "runner"))
    home.mkdir()
    git_in(tmp_path)("init", "-q", "--bare", "-b", "main", str(origin))
    shutil.copytree(EXAMPLE, clone, ignore=shutil.ignore_patterns(".taskcfg", "__pycache__"))
    git = git_in(clone)
    git("init", "-q", "-b", "main")
    git("remote", "add", "origin", str(origin))
    git("add", ".")
    git("commit", "-qm", "Tasks")
    git("push", "-q", "origin", "main")
    project.env["TASKCFG_DATABASE_URL"] = postgres_url
    project.ok("db", "upgrade")
    with open_forge() as forge:
        yield Runner(origin, clone, forge, home, postgres_url)


def read_only(url: str) -> str:
    return f"{url}{'&' if '?' in url else '?'}options=-c%20default_transaction_read_only%3Don"


class Actions:
    """GitHub Actions, as far as the workflow asks for it; what it does not know fails the test."""

    def __init__(self, runner: Runner, event: str, branch: str, *, fork: bool = False) -> None:
        self._runner = runner
        self._branch = branch
        self._caches = runner.home / "caches"
        self._caches.mkdir(exist_ok=True)
        secrets = ("", "") if fork else (read_only(runner.database), runner.database)
        self._values = {
            "github.event_name": event,
            "secrets.PLAN_DATABASE_URL": secrets[0],
            "secrets.APPLY_DATABASE_URL": secrets[1],
            "github.token": "t0ken",
            "github.event.pull_request.number": "12",
            "github.actor": "octocat",
            "github.run_id": str(100 + runner.jobs),
            "github.run_attempt": "1",
        }

    def job(self, name: str) -> list[Ran]:
        """Run a job's steps until one fails; none where the job is not for this event."""
        job = yaml.safe_load((self._runner.clone / WORKFLOW).read_text())["jobs"][name]
        if not self._holds(job.get("if"), {}):
            return []
        folder, files = self._runner.checkout(self._branch), self._runner.home
        shared = {
            "GITHUB_ACTIONS": "true",
            "GITHUB_OUTPUT": f"{files}/output",
            "GITHUB_STEP_SUMMARY": f"{files}/page",
        }
        shared |= {"GITHUB_API_URL": self._runner.forge.url, "GITHUB_REPOSITORY": "shop/tasks"}
        ran: list[Ran] = []
        for step in job["steps"]:
            own = self._filled({**job.get("env", {}), **step.get("env", {})})
            if not self._holds(step.get("if"), own):
                continue
            if "uses" in step:
                self._use(step["uses"].partition("@")[0], self._filled(step.get("with", {})), folder)
                continue
            environment = self._runner.environment({**shared, **own})
            ran.append(self._runner.run(step["run"], folder, environment, "-e"))
            if ran[-1].code:
                break
        return ran

    def _filled(self, texts: Mapping[str, Any]) -> dict[str, str]:
        def value(found: re.Match[str]) -> str:
            return self._values[found[1]]

        return {name: re.sub(r"\$\{\{ (.+?) \}\}", value, str(text)) for name, text in texts.items()}

    def _holds(self, condition: str | None, env: Mapping[str, str]) -> bool:
        if condition is None:
            return True
        found = re.fullmatch(r"([\w.]+) (==|!=) '(.*)'", condition)
        assert found, condition
        value = env[found[1][4:]] if found[1].startswith("env.") else self._values[found[1]]
        return (value == found[3]) == (found[2] == "==")

    def _use(self, action: str, given: Mapping[str, str], folder: Path) -> None:
        if action == "actions/cache/save":
            shutil.copy(folder / given["path"], self._caches / given["key"])
        elif action == "actions/cache/restore":
            cached = sorted(self._caches.glob(f"{given['restore-keys'].strip()}*"))
            if cached:
                shutil.copy(cached[-1], folder / given["path"])
        else:
            assert action in ("actions/checkout", "actions/setup-python"), action


def gitlab_job(runner: Runner, name: str, branch: str, source: str, **own: str) -> Ran | None:
    """Run a job of the GitLab pipeline; None where it is not for such a pipeline."""
    pipeline = yaml.safe_load((runner.clone / PIPELINE).read_text())
    job = pipeline[name]
    given = {
        "GITLAB_CI": "true",
        "CI_API_V4_URL": runner.forge.url,
        "CI_PROJECT_ID": "7",
        "CI_MERGE_REQUEST_IID": "12",
        "NOTES_TOKEN": "t0ken",
        "GITLAB_USER_LOGIN": "tanuki",
        "PLAN_DATABASE_URL": read_only(runner.database),
        "APPLY_DATABASE_URL": runner.database,
    }
    holding = {
        '$CI_PIPELINE_SOURCE == "merge_request_event"': source == "merge_request_event",
        "$CI_COMMIT_BRANCH == $CI_DEFAULT_BRANCH": source == "push" and branch == "main",
    }
    for rules in (pipeline["workflow"]["rules"], job.get("rules", [])):
        if rules and not any(holding[rule["if"]] for rule in rules):
            return None
    variables = {key: given[value.removeprefix("$")] for key, value in job.get("variables", {}).items()}
    folder = runner.checkout(branch)
    environment = runner.environment({**given, **variables, **own})
    before = [line for line in pipeline["default"]["before_script"] if line not in runner.installed]
    runner.installed.update(before)
    return run_script("\n".join(["set -eo pipefail", *before, *job["script"]]), folder, environment)


@pytest.mark.parametrize(("file", "schema"), [(WORKFLOW, "github-workflows"), (PIPELINE, "gitlab-ci")])
def test_the_forge_takes_the_file(file: str, schema: str) -> None:
    check = [str(HERE / "check-jsonschema"), "--builtin-schema", f"vendor.{schema}", str(EXAMPLE / file)]

    done = subprocess.run(check, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stdout


def test_the_example_is_valid_and_in_the_layout(project: Project) -> None:
    project.ok("validate", "--strict", str(EXAMPLE / "tasks.d"))
    project.ok("fmt", "--check", str(EXAMPLE / "tasks.d"))


def test_a_pull_request_on_github_from_first_push_to_merge(runner: Runner, project: Project) -> None:
    first = Actions(runner, "push", "main")
    for job in ("validate", "plan", "apply"):
        assert all(ran.code == 0 for ran in first.job(job)), job
    runner.forge.comments.append(Comment(1, 12, "<!-- taskcfg plan: main -->\nnot ours", SOMEBODY))

    runner.edit("slower", *EDIT)
    pull = Actions(runner, "pull_request", "slower")
    checked, planned = pull.job("validate"), pull.job("plan")
    runner.edit("slower", "30s", "1m")
    again = pull.job("plan")

    assert [ran.code for ran in (*checked, *planned, *again)] == [0] * 9, (checked, planned, again)
    assert runner.forge.writes == ["POST", "PATCH"]
    comment = runner.forge.comments[1].body
    assert comment.startswith("<!-- taskcfg plan: main -->\n")
    assert "schedule.every  5m -> 2h" in comment and "30s -> 1m" in comment
    assert "has_changes=true\nadd=0\nchange=1" in (runner.home / "output").read_text()
    runner.merge("slower")
    assert pull.job("apply") == []
    applied = Actions(runner, "push", "main").job("apply")
    assert "Apply complete! Tasks: 0 added, 1 changed" in applied[1].out
    assert "every 2h" in project.ok("list").out


def test_a_pull_request_from_a_fork_needs_no_secret_and_a_broken_one_is_told_where(runner: Runner) -> None:
    assert all(ran.code == 0 for ran in Actions(runner, "push", "main").job("apply"))
    (runner.home / "page").unlink()

    runner.edit("fork", *EDIT)
    planned = Actions(runner, "pull_request", "fork", fork=True).job("plan")
    runner.edit("broken", "45 6 * * MON-FRI", "0 0 30 2 *")
    broken = Actions(runner, "pull_request", "broken").job("validate")

    assert [ran.code for ran in planned] == [0, 0], planned
    assert runner.forge.writes == []
    assert "**Plan: 0 to add, 1 to change, 0 to delete" in (runner.home / "page").read_text()
    assert broken[-1].code == 1
    assert broken[-1].out.startswith("::error file=tasks.d/web.yaml,line=12,")


def test_a_merge_request_on_gitlab_from_first_push_to_merge(runner: Runner) -> None:
    runner.forge.comments += [Comment(number, 12, "hello", SOMEBODY) for number in range(1, 100)]

    def run(job: str, branch: str, source: str) -> Ran | None:
        ran = gitlab_job(runner, job, branch, source)
        assert ran is None or ran.code == 0, ran
        return ran

    assert run("apply", "main", "push")
    assert run("plan", "main", "push") is None
    runner.edit("slower", *EDIT)
    assert run("validate", "slower", "merge_request_event")
    assert run("plan", "slower", "merge_request_event")
    runner.edit("slower", "30s", "1m")
    assert run("plan", "slower", "merge_request_event")
    assert run("apply", "slower", "merge_request_event") is None

    assert runner.forge.writes == ["POST", "PUT"]
    assert "30s -> 1m" in runner.forge.comments[-1].body
    runner.merge("slower")
    applied = run("apply", "main", "push")
    assert applied and "Apply complete! Tasks: 0 added, 1 changed" in applied.out
