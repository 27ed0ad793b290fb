"""Which files in a folder are task files, and which are defaults; each folder once, in order."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

from taskcfg.errors import UnreadableSource
from taskcfg.problems import Position, Problem
from taskcfg.source.yaml_reader import LARGEST

SUFFIXES = (".yaml", ".yml")
DEFAULTS = tuple(f"_defaults{suffix}" for suffix in SUFFIXES)
NOT_TASKS = (".", "_", "~", "#")
"""How the names of hidden files, of what holds no tasks, and of editors' temp files begin."""

CALENDARS = "calendars"
"""The folder of calendars, beside the tasks folder or inside it: it holds no tasks."""

ENVIRONMENTS = "environments"
"""The folder of what environments say otherwise: it stands where that of calendars does."""

BESIDE = (CALENDARS, ENVIRONMENTS)
"""The folders that belong to a tasks folder though they may lie beside it."""


def content_of(file: Path) -> bytes:
    """Return the file's bytes, one more than the reader takes at most. Raises OSError."""
    # Opening a pipe that nobody writes to would wait for ever.
    descriptor = os.open(file, os.O_RDONLY | os.O_NONBLOCK)
    with open(descriptor, "rb") as stream:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise OSError(0, "not a regular file")
        return stream.read(LARGEST + 1)


def shown_path(path: Path, root: Path) -> str:
    """Return *path* as a user in *root* would type it."""
    name, base = os.path.abspath(path), os.path.abspath(root) + os.sep
    # A name that is not UTF-8 must still be printable.
    return name.removeprefix(base).encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def calendar_folders(tasks: Path) -> tuple[Path, ...]:
    """Return where the calendars of the tasks folder *tasks* are: beside it and inside it."""
    return _beside_and_inside(tasks, CALENDARS)


def environment_folders(tasks: Path) -> tuple[Path, ...]:
    """Return where the environments of the tasks folder *tasks* are: beside it and inside it."""
    return _beside_and_inside(tasks, ENVIRONMENTS)


def _beside_and_inside(tasks: Path, name: str) -> tuple[Path, ...]:
    folder = Path(os.path.abspath(tasks))
    return tuple(place for place in (folder.parent / name, folder / name) if place != folder)


def files_beside(folder: Path) -> list[Path]:
    """Return the YAML files in *folder*, which holds calendars or environments, by name; none where it is
    missing. Raises OSError when it cannot be read."""
    try:
        with os.scandir(folder) as listing:
            entries = sorted(listing, key=lambda entry: entry.name)
    except (FileNotFoundError, NotADirectoryError):
        return []
    return [
        folder / entry.name
        for entry in entries
        if entry.name.endswith(SUFFIXES) and not entry.name.startswith(NOT_TASKS) and not entry.is_dir()
    ]


class Search:
    """Finds task files and files of defaults, each folder once, in the order of their names.

    *top* is the tasks folder: what stands in it and is not for tasks is told by its name.
    """

    def __init__(self, root: Path, top: Path | None) -> None:
        self.problems: list[Problem] = []
        self._root = root
        self._top = top
        self._seen: set[tuple[int, int]] = set()

    def files(self, folder: Path) -> Iterator[Path]:
        """Yield the files in *folder* and below. Raises UnreadableSource for *folder* itself."""
        try:
            yield from self._files_in(folder)
        except OSError as error:
            raise UnreadableSource(
                f"{shown_path(folder, self._root)}: {(error.strerror or str(error)).lower()}",
                hint="`taskcfg init` makes a folder of tasks; `tasks_dir` says where it is",
            ) from error

    def _files_in(self, folder: Path) -> Iterator[Path]:
        with os.scandir(folder) as listing:
            entries = sorted(listing, key=lambda entry: entry.name)
        status = folder.stat()
        if (status.st_dev, status.st_ino) in self._seen:
            return  # a symbolic link led back
        self._seen.add((status.st_dev, status.st_ino))
        for entry in entries:
            path = folder / entry.name
            if entry.name.startswith(NOT_TASKS):
                if entry.name in DEFAULTS:
                    yield path
            elif entry.is_dir(follow_symlinks=False) or (entry.is_symlink() and os.path.isdir(path)):
                yield from self._files_below(path)
            elif entry.name.endswith(SUFFIXES):
                yield path
            elif entry.is_symlink() and not os.path.exists(path):
                # What it led to may have been a folder of tasks, on a disk that is not mounted now.
                self._add(path, "it is a link that leads nowhere", "mend it, or remove it")

    def _files_below(self, folder: Path) -> Iterator[Path]:
        if folder.parent == self._top and folder.name in (CALENDARS, ENVIRONMENTS):
            return
        try:
            yield from self._files_in(folder)
        except OSError as error:
            self._add(folder, f"the folder cannot be read: {error.strerror}")

    def _add(self, path: Path, message: str, hint: str | None = None) -> None:
        self.problems.append(Problem(Position(shown_path(path, self._root)), message, hint))
