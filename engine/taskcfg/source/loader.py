"""Folders, files and text to specs."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from taskcfg.clock import SystemClock
from taskcfg.errors import UnreadableSource
from taskcfg.problems import Position, Problem, Severity
from taskcfg.source.reading import Declared, read_file
from taskcfg.source.yaml_reader import LARGEST
from taskcfg.spec.cron import LATER
from taskcfg.spec.task import TaskSpec
from taskcfg.types.registry import Registry

SUFFIXES = (".yaml", ".yml")
_NOT_TASKS = (".", "_", "~", "#")
"""How the names of hidden files, of what holds no tasks, and of editors' temp files begin."""

_LATER_FOLDERS = ("calendars", "environments")


@dataclass(frozen=True, slots=True)
class Loaded:
    """What the files declare and what is wrong with them.

    `specs` are ordered by name, `problems` by place. `files` is how many were read, `tasks` how
    many tasks they declare, also broken ones. `digest` is of all files' names and contents.
    """

    specs: tuple[TaskSpec, ...]
    problems: tuple[Problem, ...]
    files: int
    tasks: int
    digest: str

    @property
    def valid(self) -> bool:
        """Whether no problem is an error."""
        return all(problem.severity is not Severity.ERROR for problem in self.problems)


def load_folder(folder: Path, registry: Registry, *, root: Path, now: datetime | None = None) -> Loaded:
    """Read every task file in *folder* and below.

    Paths in positions are relative to *root*. Raises UnreadableSource when the folder is not
    there or cannot be read; what cannot be read in it is a problem, never "nothing there".
    """
    search = _Search(root)
    files = list(search.files(folder))
    return _load(files, search.problems, registry, root, now)


def load_files(
    paths: Sequence[Path], registry: Registry, *, root: Path, now: datetime | None = None
) -> Loaded:
    """Read *paths*: of a folder what `load_folder` reads, of a file the file, whatever its name.

    Raises UnreadableSource when one of them is not there, or is a folder that cannot be read.
    """
    search = _Search(root)
    files: dict[Path, None] = {}
    for path in paths:
        if path.is_dir():
            files.update(dict.fromkeys(search.files(Path(os.path.abspath(path)))))
        elif path.exists():
            files[Path(os.path.abspath(path))] = None
        else:
            raise UnreadableSource(f"{_shown(path, root)}: there is no such file or folder")
    return _load(list(files), search.problems, registry, root, now)


def load_text(
    text: str | bytes, registry: Registry, *, file: str = "<stdin>", now: datetime | None = None
) -> Loaded:
    """Read one task file's *text*; *file* is its name in positions."""
    content = text.encode("utf-8", "surrogatepass") if isinstance(text, str) else text
    gathered = _Gathered(registry, now or SystemClock().now())
    gathered.add(file, content)
    return gathered.loaded()


def _load(
    files: list[Path], problems: list[Problem], registry: Registry, root: Path, now: datetime | None
) -> Loaded:
    gathered = _Gathered(registry, now or SystemClock().now(), problems)
    for file in files:
        try:
            gathered.add(_shown(file, root), _content(file))
        except OSError as error:
            gathered.add_unreadable(_shown(file, root), error.strerror or str(error))
    return gathered.loaded()


def _content(file: Path) -> bytes:
    """Return the file's bytes, one more than the reader takes at most. Raises OSError."""
    # Opening a pipe that nobody writes to would wait for ever.
    descriptor = os.open(file, os.O_RDONLY | os.O_NONBLOCK)
    with open(descriptor, "rb") as stream:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise OSError(0, "not a regular file")
        return stream.read(LARGEST + 1)


def _shown(path: Path, root: Path) -> str:
    """Return *path* as a user in *root* would type it."""
    name, base = os.path.abspath(path), os.path.abspath(root) + os.sep
    # A name that is not UTF-8 must still be printable.
    return name.removeprefix(base).encode("utf-8", "surrogateescape").decode("utf-8", "replace")


class _Search:
    """Finds task files, each folder once, in the order of their names."""

    def __init__(self, root: Path) -> None:
        self.problems: list[Problem] = []
        self._root = root
        self._seen: set[tuple[int, int]] = set()

    def files(self, folder: Path) -> Iterator[Path]:
        """Yield the task files in *folder* and below. Raises UnreadableSource for *folder* itself."""
        try:
            yield from self._files_in(folder, is_top=True)
        except OSError as error:
            raise UnreadableSource(
                f"{_shown(folder, self._root)}: {(error.strerror or str(error)).lower()}",
                hint="`taskcfg init` makes a folder of tasks; `tasks_dir` says where it is",
            ) from error

    def _files_in(self, folder: Path, *, is_top: bool = False) -> Iterator[Path]:
        with os.scandir(folder) as listing:
            entries = sorted(listing, key=lambda entry: entry.name)
        status = folder.stat()
        if (status.st_dev, status.st_ino) in self._seen:
            return  # a symbolic link led back
        self._seen.add((status.st_dev, status.st_ino))
        for entry in entries:
            path = folder / entry.name
            if entry.name.startswith(_NOT_TASKS):
                self._check_defaults(path)
            elif entry.is_dir(follow_symlinks=False) or (entry.is_symlink() and os.path.isdir(path)):
                yield from self._files_below(path, is_top=is_top)
            elif entry.name.endswith(SUFFIXES):
                yield path

    def _files_below(self, folder: Path, *, is_top: bool) -> Iterator[Path]:
        if is_top and folder.name in _LATER_FOLDERS:
            self._add(folder, f"`{folder.name}/` is {LATER}", "move it away; it comes with a later version")
            return
        try:
            yield from self._files_in(folder)
        except OSError as error:
            self._add(folder, f"the folder cannot be read: {error.strerror}")

    def _check_defaults(self, path: Path) -> None:
        if path.name in ("_defaults.yaml", "_defaults.yml"):
            hint = "write `defaults:` in each file instead; it comes with a later version"
            self._add(path, f"`{path.name}` is {LATER}", hint)

    def _add(self, path: Path, message: str, hint: str | None = None) -> None:
        self.problems.append(Problem(Position(_shown(path, self._root)), message, hint))


class _Gathered:
    """What the files read so far hold, together."""

    def __init__(self, registry: Registry, now: datetime, problems: Sequence[Problem] = ()) -> None:
        self._registry = registry
        self._now = now
        self._problems = list(problems)
        self._declared: dict[str, Declared] = {}
        self._files = 0
        self._digest = hashlib.sha256()

    def add(self, file: str, content: bytes) -> None:
        self._count(file, content)
        reading = read_file(content, file, self._registry, self._now)
        self._problems += reading.problems
        for task in reading.tasks:
            first = self._declared.setdefault(task.name, task)
            if first is not task:
                message = f"task `{task.name}` is declared twice"
                self._problems.append(Problem(first.position, message, task=task.name, also=task.position))

    def add_unreadable(self, file: str, reason: str) -> None:
        self._count(file, b"")
        self._problems.append(Problem(Position(file), f"the file cannot be read: {reason.lower()}"))

    def _count(self, file: str, content: bytes) -> None:
        self._files += 1
        for part in (file.encode(), content):
            self._digest.update(len(part).to_bytes(8, "big") + part)

    def loaded(self) -> Loaded:
        specs = [task.spec for task in self._declared.values() if task.spec is not None]
        return Loaded(
            tuple(sorted(specs, key=lambda spec: spec.name)),
            tuple(sorted(self._problems, key=lambda problem: problem.position)),
            self._files,
            len(self._declared),
            self._digest.hexdigest(),
        )
