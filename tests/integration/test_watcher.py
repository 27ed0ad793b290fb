"""The folder watcher on a real file system, with what editors, git and Kubernetes do to files."""

import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from taskcfg.clock import SystemClock
from taskcfg.source.watcher import FolderWatcher

LONG = 10.0


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "tasks.d"
    (folder / "billing").mkdir(parents=True)
    (folder / "a.yaml").write_text("tasks: {}\n")
    return folder


@pytest.fixture
def watcher(folder: Path) -> Iterator[FolderWatcher]:
    watcher = FolderWatcher([folder, folder.parent / "calendars"], SystemClock())
    yield watcher
    watcher.close()


def in_place(folder: Path) -> None:
    (folder / "a.yaml").write_text("tasks: {a: 1}\n")


def by_replacing(folder: Path) -> None:
    draft = folder / ".a.yaml.swp"
    draft.write_text("tasks: {b: 1}\n")
    draft.replace(folder / "a.yaml")


def below(folder: Path) -> None:
    (folder / "billing" / "new.yaml").write_text("tasks: {}\n")


def in_a_new_folder(folder: Path) -> None:
    (folder / "fresh").mkdir()
    (folder / "fresh" / "new.yaml").write_text("tasks: {}\n")


def by_deleting(folder: Path) -> None:
    (folder / "a.yaml").unlink()


def the_whole_folder(folder: Path) -> None:
    folder.rename(folder.with_name("old"))
    folder.mkdir()
    (folder / "other.yaml").write_text("tasks: {}\n")


def in_calendars_beside_it_that_are_new(folder: Path) -> None:
    (folder.parent / "calendars").mkdir()
    (folder.parent / "calendars" / "closures.yaml").write_text("dates: [2026-12-24]\n")


@pytest.mark.parametrize(
    "change",
    [
        in_calendars_beside_it_that_are_new,
        in_place,
        by_replacing,
        below,
        in_a_new_folder,
        by_deleting,
        the_whole_folder,
    ],
)
def test_a_change_is_noticed(watcher: FolderWatcher, folder: Path, change: Callable[[Path], None]) -> None:
    assert watcher.wait(0.05) is False

    change(folder)

    noticed = any(watcher.wait(1.0) for _ in range(int(LONG)))
    assert noticed


def test_after_the_folder_was_replaced_its_successor_is_watched(watcher: FolderWatcher, folder: Path) -> None:
    the_whole_folder(folder)
    assert any(watcher.wait(1.0) for _ in range(int(LONG)))
    while watcher.wait(0.5):
        continue

    in_place(folder)

    assert any(watcher.wait(1.0) for _ in range(int(LONG)))


def test_an_edit_of_a_calendar_beside_the_tasks_is_noticed(folder: Path) -> None:
    in_calendars_beside_it_that_are_new(folder)
    watcher = FolderWatcher([folder, folder.parent / "calendars"], SystemClock())
    try:
        assert watcher.wait(0.05) is False

        (folder.parent / "calendars" / "closures.yaml").write_text("dates: [2026-12-31]\n")

        assert any(watcher.wait(1.0) for _ in range(int(LONG)))
    finally:
        watcher.close()


def test_reading_the_files_is_no_change(watcher: FolderWatcher, folder: Path) -> None:
    (folder / "a.yaml").read_text()
    os.listdir(folder)

    assert watcher.wait(1.0) is False


def test_a_burst_of_changes_is_one_reason_to_read(watcher: FolderWatcher, folder: Path) -> None:
    for number in range(50):
        (folder / f"{number}.yaml").write_text("tasks: {}\n")

    assert watcher.wait(LONG) is True
    assert watcher.wait(0.7) is False


def test_closing_ends_a_wait(folder: Path) -> None:
    watcher = FolderWatcher([folder, folder.parent / "calendars"], SystemClock())
    ended = threading.Event()

    def wait() -> None:
        watcher.wait(60)
        ended.set()

    threading.Thread(target=wait, daemon=True).start()
    watcher.close()

    assert ended.wait(5)
