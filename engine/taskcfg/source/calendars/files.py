"""The calendars that tasks may name: which files they are, each read when it is first asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from taskcfg.problems import Position, Problem
from taskcfg.source.folders import files_beside, shown_path
from taskcfg.spec.calendar import Calendar
from taskcfg.spec.fields import InvalidValue, task_name

Reader = Callable[[str, Path], Calendar | None]
"""Reads the file of the calendar of that name; None, having said why, when it has problems."""


class CalendarFiles(Mapping[str, Calendar | None]):
    """The calendars in *folders*, by name; where a name is not there, what *behind* has.

    None is one that has problems; where a folder cannot be read, so is every name that is not found.
    `problems` are those of the files' names and of the folders; *reader* keeps those of contents.
    """

    def __init__(
        self,
        folders: Sequence[Path],
        root: Path,
        reader: Reader,
        behind: Mapping[str, Calendar | None],
    ) -> None:
        self.problems: list[Problem] = []
        self._root = root
        self._reader = reader
        self._behind = behind
        self._files: dict[str, list[Path]] = {}
        self._known: dict[str, Calendar | None] = {}
        self._unreadable = False
        for folder in folders:
            self._list(folder)
        for name, files in self._files.items():
            for other in files[1:]:
                self._add(files[0], f"calendar `{name}` is declared twice", "keep one of them", also=other)

    def __getitem__(self, name: str) -> Calendar | None:
        if name not in self._files:
            return None if self._unreadable and name not in self._behind else self._behind[name]
        if name not in self._known:
            found = [self._reader(name, file) for file in self._files[name]]
            self._known[name] = found[0] if len(found) == 1 else None
        return self._known[name]

    def __contains__(self, name: object) -> bool:
        return name in self._files or name in self._behind or self._unreadable

    def __iter__(self) -> Iterator[str]:
        return iter({**self._files, **dict.fromkeys(self._behind)})

    def __len__(self) -> int:
        return len({*self._files, *self._behind})

    def read_all(self) -> None:
        """Read every calendar of the folders, for its problems."""
        for name in self._files:
            self[name]

    def read_in(self, place: Path) -> None:
        """Read the calendars that the file or folder *place* holds, for their problems."""
        for name, files in self._files.items():
            if any(place in (file, file.parent) for file in files):
                self[name]

    def _list(self, folder: Path) -> None:
        try:
            found = files_beside(folder)
        except OSError as error:
            self._unreadable = True
            self._add(folder, f"the folder cannot be read: {(error.strerror or str(error)).lower()}")
            return
        for file in found:
            self._note(file)

    def _note(self, file: Path) -> None:
        try:
            name = task_name(file.stem)
        except InvalidValue:
            hint = "its file's name has letters and digits, with `.`, `_` and `-` inside, before `.yaml`"
            self._add(file, "no calendar can be named like this", hint)
            return
        self._files.setdefault(name, []).append(file)

    def _add(self, place: Path, message: str, hint: str | None = None, also: Path | None = None) -> None:
        other = Position(shown_path(also, self._root)) if also else None
        self.problems.append(Problem(Position(shown_path(place, self._root)), message, hint, also=other))
