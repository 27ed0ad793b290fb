"""The environments there are, and which of their files a load reads."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from taskcfg.errors import UnknownEnvironment
from taskcfg.problems import Position, Problem
from taskcfg.settings import Settings
from taskcfg.source.findings import did_you_mean
from taskcfg.source.folders import files_beside, shown_path
from taskcfg.source.overlays import Overlay

Reader = Callable[[str, Path], Overlay | None]
"""Reads the file of the environment of that name; None, having said why, when it cannot be read."""


@dataclass(frozen=True, slots=True)
class Environments:
    """Which environments a load is about.

    That of `name` is merged over the tasks. `named` are those of the settings, which need no file. Where
    no one is asked for, `check_all` has every one read for its problems.
    """

    name: str | None = None
    named: tuple[str, ...] = ()
    check_all: bool = False

    @classmethod
    def of(cls, settings: Settings, *, check_all: bool = False) -> Environments:
        """Return what *settings* ask for."""
        return cls(settings.env, settings.environments, check_all)


NO_ENVIRONMENT = Environments()


@dataclass(frozen=True, slots=True)
class Overlays:
    """What is laid over tasks: `merged` for good, each of `checked` only for its problems."""

    merged: Overlay | None = None
    checked: tuple[Overlay, ...] = ()

    @property
    def read(self) -> tuple[Overlay, ...]:
        return self.checked if self.merged is None else (self.merged, *self.checked)


class EnvironmentFiles:
    """The files of environments in *folders*, by the environments' names. `problems` are those of the
    files' names and of the folders."""

    def __init__(self, folders: Sequence[Path], root: Path) -> None:
        self.problems: list[Problem] = []
        self.files: dict[str, Path] = {}
        self._root = root
        self._unreadable = False
        for folder in folders:
            for file in self._listed(folder):
                first = self.files.setdefault(file.stem, file)
                if first is not file:
                    message = f"environment `{file.stem}` is declared twice"
                    self._add(first, message, "keep one of them", also=file)

    def overlays(self, wanted: Environments, read: Reader) -> Overlays:
        """Return what is *wanted* of these environments. Raises UnknownEnvironment."""
        if wanted.name is None:
            found = [read(name, file) for name, file in self.files.items()] if wanted.check_all else []
            return Overlays(None, tuple(overlay for overlay in found if overlay is not None))
        if wanted.name in self.files:
            return Overlays(read(wanted.name, self.files[wanted.name]))
        if wanted.name not in wanted.named and not self._unreadable:
            raise unknown_environment(wanted.name, {*self.files, *wanted.named})
        return Overlays()

    def _listed(self, folder: Path) -> Iterator[Path]:
        try:
            found = files_beside(folder)
        except OSError as error:
            self._unreadable = True
            self._add(folder, f"the folder cannot be read: {(error.strerror or str(error)).lower()}")
            return
        yield from found

    def _add(self, place: Path, message: str, hint: str | None = None, also: Path | None = None) -> None:
        other = Position(shown_path(also, self._root)) if also else None
        self.problems.append(Problem(Position(shown_path(place, self._root)), message, hint, also=other))


def unknown_environment(name: str, known: Collection[str]) -> UnknownEnvironment:
    hint = did_you_mean(name, known)
    return UnknownEnvironment(
        f"no environment is named `{name}`",
        hint=hint
        or f'write `environments/{name}.yaml`, or name it in `taskcfg.toml`: `environments = ["{name}"]`',
    )
