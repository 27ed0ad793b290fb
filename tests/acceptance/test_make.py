"""`make up` from a clean clone: the main job from nothing."""

import os
import shutil
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from acceptance.project import Background, Project

ENDED_BY_CTRL_C = {0, 130, -signal.SIGINT}  # make ends itself with the signal it got
ROOT = Path(__file__).parents[2]
OFTEN = """
tasks:
  often:
    type: cleanup
    schedule: {every: 2s}
    params: {target: execution_history, older_than: 30d}
"""


@pytest.fixture
def clone(tmp_path: Path) -> Iterator[Project]:
    """What a clone of this state of the project would hold, and nothing that was made in it."""
    if not (ROOT / ".git").exists():
        pytest.skip("not a git checkout")
    folder, home = tmp_path / "clone", tmp_path / "home"
    home.mkdir()
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    for path in listed.stdout.splitlines():
        if (ROOT / path).is_file():
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / path, folder / path)
    project = Project(folder, home)
    project.write("tasks.d/often.yaml", OFTEN)
    yield project
    project.close()


def make_up(clone: Project) -> Background:
    """Start `make up` as a developer does, with this Python, and with this machine's settings for pip."""
    own = {name: text for name, text in os.environ.items() if name.startswith(("PIP_", "SSL_", "REQUESTS_"))}
    return clone.start("up", f"PYTHON={sys.executable}", env=own, program="make")


def executions(clone: Project) -> list[tuple[str, str, str]]:
    """Return id, event and state of the attempts that have ended."""
    database = clone.folder / ".taskcfg" / "taskcfg.db"
    if not database.exists():
        return []
    with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as connection:
        try:
            return connection.execute(
                "SELECT id, schedule_event_id, state FROM task_execution WHERE finished_at IS NOT NULL"
            ).fetchall()
        except sqlite3.OperationalError:  # not migrated yet
            return []


def test_make_up_works_from_a_clean_clone_stops_on_ctrl_c_and_goes_on_afterwards(clone: Project) -> None:
    first = make_up(clone)
    first.wait_for(lambda: executions(clone), timeout=300, interval=0.5)
    first.interrupt()
    first.end("^C")
    assert clone.processes() == []
    before = executions(clone)

    second = make_up(clone)
    second.wait_for(lambda: len(executions(clone)) > len(before), interval=0.5)
    second.interrupt()
    second.end("^C")
    after = executions(clone)

    assert {first.process.returncode, second.process.returncode} <= ENDED_BY_CTRL_C
    assert {state for _, _, state in after} == {"succeeded"}
    assert len({event for _, event, _ in after}) == len(after)
