"""The type `cleanup` on files: what is old and matches goes, nothing outside the folder is ever touched."""

import os
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from taskcfg.settings import load_settings
from taskcfg.testing import FakeClock
from taskcfg.types import surroundings
from taskcfg.types.cleanup import CleanupParams, IncompleteCleanup, cleanup, remove_old_files

CLOCK = FakeClock()
OLD, YOUNG = timedelta(days=8), timedelta(days=6)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "var"
    folder.mkdir()
    return folder


def make(path: Path, age: timedelta = OLD, text: str = "12345") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    stamp = (CLOCK.now() - age).timestamp()
    os.utime(path, (stamp, stamp))
    return path


def params(**fields: Any) -> CleanupParams:
    return CleanupParams.model_validate({"target": "files", "path": "var", "older_than": "7d", **fields})


def left(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if not path.is_dir())


def test_old_files_that_match_are_removed_in_all_folders_below(folder: Path) -> None:
    for name in ("a.tmp", "deep/er/b.tmp", "c.log"):
        make(folder / name)
    make(folder / "young.tmp", YOUNG)

    result = remove_old_files(folder, params(pattern="*.tmp"), CLOCK)

    assert result == {"files": 2, "bytes": 10}
    assert left(folder) == ["c.log", "young.tmp"]


def test_a_dry_run_counts_and_removes_nothing(folder: Path) -> None:
    make(folder / "a.tmp")

    assert remove_old_files(folder, params(dry_run=True), CLOCK) == {"files": 1, "bytes": 5}
    assert left(folder) == ["a.tmp"]


def test_links_are_neither_followed_nor_removed(folder: Path, tmp_path: Path) -> None:
    outside = make(tmp_path / "outside" / "kept.tmp")
    (folder / "to-file.tmp").symlink_to(outside)
    (folder / "to-folder").symlink_to(outside.parent)

    assert remove_old_files(folder, params(older_than=0), CLOCK) == {"files": 0, "bytes": 0}
    assert outside.exists()
    assert {path.name for path in folder.iterdir()} == {"to-file.tmp", "to-folder"}


def test_what_is_no_regular_file_stays(folder: Path) -> None:
    os.mkfifo(folder / "pipe")
    (folder / "empty").mkdir()

    assert remove_old_files(folder, params(older_than=0), CLOCK)["files"] == 0
    assert {path.name for path in folder.iterdir()} == {"pipe", "empty"}


def test_a_folder_that_is_not_there_is_an_error_and_not_nothing_to_do(folder: Path) -> None:
    with pytest.raises(FileNotFoundError):
        remove_old_files(folder / "no", params(), CLOCK)
    with pytest.raises(NotADirectoryError):
        remove_old_files(make(folder / "file"), params(), CLOCK)
    with pytest.raises(IncompleteCleanup, match="the whole file system"):
        remove_old_files(Path("/"), params(), CLOCK)


def test_a_relative_path_is_counted_from_the_projects_folder(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make(folder / "a.tmp")
    monkeypatch.setattr(surroundings, "_settings", load_settings(environ={}, folder=folder.parent))

    assert cleanup(params()) == {"files": 1, "bytes": 5}


@pytest.mark.parametrize(
    "fields",
    [
        {"path": None},
        {"path": ""},
        {"pattern": "../*"},
        {"pattern": ""},
        {"older_than": "-1d"},
        {"target": "rows"},
        {"batch": 0},
        {"target": "execution_history"},
        {"target": "execution_history", "path": None, "pattern": "*.log"},
        {"target": "execution_history", "path": None, "dry_run": True},
    ],
)
def test_params_that_do_not_fit_the_target_are_refused(fields: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        params(**fields)
