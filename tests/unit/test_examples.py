"""The example projects, and this project's own tasks, are what we tell users to write."""

from pathlib import Path

import pytest

from taskcfg.source.loader import load_folder
from taskcfg.types.registry import Registry

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("folder", ["tasks.d", "examples/plain/tasks.d", "examples/pull-requests/tasks.d"])
def test_the_tasks_we_show_have_no_problem(folder: str) -> None:
    loaded = load_folder(ROOT / folder, Registry(), root=ROOT)

    assert [problem.text() for problem in loaded.problems] == []
    assert loaded.tasks >= 2
