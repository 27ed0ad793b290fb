"""The hooks for pre-commit, run by pre-commit itself when somebody commits to a repository."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from acceptance.project import Project, command
from repositories import ALONE, git_in

HOOKS = Path(__file__).parents[2] / ".pre-commit-hooks.yaml"
PRE_COMMIT = Path(sys.executable).with_name("pre-commit")

CONFIG = """\
repos:
  - repo: {hooks}
    rev: v1.0.0
    hooks:
      - id: taskcfg-validate
      - id: taskcfg-fmt
"""
TASKS = """\
# ours
tasks:
  nightly:
    type: http
    schedule: {cron: "0 2 * * *"}
    params: {url: "https://example.org/"}
"""


@dataclass(frozen=True)
class Repository:
    """A user's repository in which the hooks are installed."""

    project: Project
    git: Callable[..., str]
    environment: dict[str, str]

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            words, cwd=self.project.folder, env=self.environment, capture_output=True, text=True, check=False
        )

    def commit(self, message: str) -> subprocess.CompletedProcess[str]:
        self.run("git", "add", ".")
        identity = ("-c", "user.name=A", "-c", "user.email=a@example.org")
        return self.run("git", *identity, "commit", "-m", message)


@pytest.fixture
def repository(project: Project, tmp_path: Path) -> Repository:
    hooks = tmp_path / "hooks"
    hooks.mkdir()
    shutil.copy(HOOKS, hooks)
    publish = git_in(hooks)
    publish("init", "-q")
    publish("add", ".")
    publish("commit", "-qm", "Hooks")
    publish("tag", "v1.0.0")
    project.write(".pre-commit-config.yaml", CONFIG.format(hooks=hooks))
    project.write("taskcfg.toml", "")
    git = git_in(project.folder)
    git("init", "-q")
    path = f"{Path(command()).parent}:{PRE_COMMIT.parent}:{os.environ['PATH']}"
    home = {"HOME": str(tmp_path), "PRE_COMMIT_HOME": str(tmp_path / "cache")}
    mine = Repository(project, git, {"PATH": path, "LANG": "C.UTF-8", **ALONE, **home})
    installed = mine.run(str(PRE_COMMIT), "install")
    assert installed.returncode == 0, installed.stdout + installed.stderr
    return mine


def test_what_is_right_is_committed_and_what_is_wrong_is_not(repository: Repository) -> None:
    repository.project.write("tasks.d/tasks.yaml", TASKS)
    right = repository.commit("First")
    repository.project.write("tasks.d/tasks.yaml", TASKS.replace("0 2 * * *", "0 0 30 2 *"))
    wrong = repository.commit("Second")

    assert right.returncode == 0, right.stderr
    assert "warn" not in right.stderr.lower()
    assert wrong.returncode == 1
    assert "tasks.d/tasks.yaml:5:22: schedule.cron: `0 0 30 2 *` never fires" in wrong.stderr
    assert repository.git("log", "--format=%s") == "First"


def test_what_is_not_in_the_layout_is_put_there_and_looked_at_once_more(repository: Repository) -> None:
    repository.project.write("tasks.d/tasks.yaml", TASKS.replace("    ", "      "))
    repository.project.write("tasks.d/calendars/off.yaml", "weekdays:   [SUN]\n")
    repository.project.write("tasks.d/_notes.yaml", "anything:   [goes]\n")

    first = repository.commit("First")
    second = repository.commit("First")

    assert (first.returncode, second.returncode) == (1, 0), first.stderr + second.stderr
    assert "files were modified by this hook" in first.stderr
    assert repository.project.read("tasks.d/tasks.yaml") == TASKS
    assert repository.project.read("tasks.d/calendars/off.yaml") == "weekdays:   [SUN]\n"


def test_a_commit_without_task_files_waits_for_nothing(repository: Repository) -> None:
    repository.project.write("tasks.d/tasks.yaml", "broken: [")
    repository.project.write("README.md", "# Ours\n")
    repository.run("git", "add", "README.md")

    done = repository.run("git", "-c", "user.name=A", "-c", "user.email=a@b", "commit", "-m", "Read me")

    assert done.returncode == 0, done.stderr
    assert done.stderr.count("(no files to check)Skipped") == 2
