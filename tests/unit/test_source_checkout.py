"""What git says of the folder the task files are in."""

import subprocess
from pathlib import Path

import pytest

from taskcfg.source.checkout import read_checkout


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    (tmp_path / "a.yaml").write_text("tasks: {}\n")
    author = ("-c", "user.name=Ann", "-c", "user.email=ann@example.org")
    for words in (("init", "-q"), ("add", "."), (*author, "commit", "-qm", "First")):
        subprocess.run(["git", "-C", str(tmp_path), *words], check=True, capture_output=True)
    return tmp_path


def dirty(folder: Path) -> bool | None:
    checkout = read_checkout(folder)
    assert checkout is not None
    return checkout.dirty


def test_a_folder_is_dirty_when_its_files_differ_from_the_commit(repository: Path) -> None:
    before = dirty(repository)

    (repository / "a.yaml").write_text("tasks: {a: {}}\n")

    assert (before, dirty(repository)) == (False, True)


def test_where_git_cannot_tell_nobody_knows(repository: Path) -> None:
    (repository / ".git" / "index").write_bytes(b"no index")

    assert dirty(repository) is None
