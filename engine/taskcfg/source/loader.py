"""Folders, files and text to specs."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from taskcfg.clock import SystemClock
from taskcfg.errors import UnreadableSource
from taskcfg.problems import Position, Problem, Severity
from taskcfg.source.calendars.files import CalendarFiles
from taskcfg.source.calendars.reading import read_calendar
from taskcfg.source.folders import DEFAULTS, Search, calendar_folders, content_of, shown_path
from taskcfg.source.layers import NOTHING, Layer
from taskcfg.source.reading import Declared, Reading, read_defaults, read_file
from taskcfg.source.references import References
from taskcfg.source.schedules.advising import warning_of_pile_up
from taskcfg.spec.calendar import Calendar
from taskcfg.spec.task import TaskSpec
from taskcfg.spec.task_advice import advice_on_pile_up
from taskcfg.types.registry import Registry


@dataclass(frozen=True, slots=True)
class Loaded:
    """What the files declare and what is wrong with them.

    `specs` are ordered by name, `problems` by place. `files` is how many were read, also files of
    defaults and calendars, `tasks` how many tasks they declare, also broken ones. `digest` is of all
    files' names and contents, and of the variables of the environment that they refer to. `traced` is
    the task that was asked for, with its layers.
    """

    specs: tuple[TaskSpec, ...]
    problems: tuple[Problem, ...]
    files: int
    tasks: int
    digest: str
    traced: Declared | None = None

    @property
    def errors(self) -> list[Problem]:
        """The problems that are no mere warnings."""
        return [problem for problem in self.problems if problem.severity is Severity.ERROR]

    @property
    def valid(self) -> bool:
        """Whether no problem is an error."""
        return not self.errors


def load_folder(
    folder: Path,
    registry: Registry,
    *,
    root: Path,
    now: datetime | None = None,
    environment: Mapping[str, str] = os.environ,
    traced: str | None = None,
) -> Loaded:
    """Read every task file in *folder* and below, and every calendar beside and inside it.

    Paths in positions are relative to *root*; references take their values from *environment*;
    the task *traced* is returned with its layers. Raises UnreadableSource when the folder is not
    there or cannot be read; what cannot be read in it is a problem, never "nothing there".
    """
    reading = Reading(registry, now or SystemClock().now(), References(environment), traced)
    top = Path(os.path.abspath(folder))
    gathered = _Gathered(reading, root, top)
    gathered.add_folder(top, top)
    gathered.calendars_of(top).read_all()
    return gathered.loaded()


def load_files(
    paths: Sequence[Path],
    registry: Registry,
    *,
    root: Path,
    tasks_dir: Path | None = None,
    now: datetime | None = None,
    environment: Mapping[str, str] = os.environ,
    traced: str | None = None,
) -> Loaded:
    """Read *paths*: of a folder what `load_folder` reads, of a file the file, whatever its name.

    What lies in *tasks_dir* inherits from the files of defaults there, from the top down. A folder
    elsewhere is a tasks folder of its own; a file elsewhere inherits nothing. Calendars are those
    beside and inside the file's own tasks folder, and then those of *tasks_dir*. Raises
    UnreadableSource when one of *paths* is not there, or is a folder that cannot be read.
    """
    reading = Reading(registry, now or SystemClock().now(), References(environment), traced)
    project = None if tasks_dir is None else Path(os.path.abspath(tasks_dir))
    gathered = _Gathered(reading, root, project)
    calendars = () if project is None else calendar_folders(project)
    for path in paths:
        place = Path(os.path.abspath(path))
        top = _top_of(place, tasks_dir)
        if project is not None and (place in calendars or place.parent in calendars) and path.exists():
            gathered.calendars_of(project).read_in(place)
        elif path.is_dir() and top is not None:
            gathered.add_folder(place, top)
            if place == top:
                gathered.calendars_of(top).read_all()
        elif path.exists():
            gathered.add_file(place, top)
        else:
            raise UnreadableSource(f"{shown_path(path, root)}: there is no such file or folder")
    return gathered.loaded()


def load_text(
    text: str | bytes,
    registry: Registry,
    *,
    file: str = "<stdin>",
    root: Path | None = None,
    tasks_dir: Path | None = None,
    now: datetime | None = None,
    environment: Mapping[str, str] = os.environ,
) -> Loaded:
    """Read one task file's *text*, which inherits nothing; *file* is its name in positions.

    It may name the calendars of *tasks_dir*, whose paths are relative to *root*.
    """
    content = text.encode("utf-8", "surrogatepass") if isinstance(text, str) else text
    reading = Reading(registry, now or SystemClock().now(), References(environment))
    project = None if tasks_dir is None else Path(os.path.abspath(tasks_dir))
    gathered = _Gathered(reading, root or Path(), project)
    calendars = {} if project is None else gathered.calendars_of(project)
    gathered.add(file, content, NOTHING, calendars)
    return gathered.loaded()


def _top_of(place: Path, tasks_dir: Path | None) -> Path | None:
    """Return the topmost folder whose defaults *place* inherits; None where there is none."""
    if tasks_dir is not None:
        top = Path(os.path.abspath(tasks_dir))
        if place == top or top in place.parents:
            return top
    if place.is_dir():
        return place
    return place.parent if place.name in DEFAULTS else None


class _Gathered:
    """What the files read so far hold, together."""

    def __init__(self, reading: Reading, root: Path, project: Path | None) -> None:
        self._reading = reading
        self._root = root
        self._project = project
        self._calendars: dict[Path, CalendarFiles] = {}
        self._problems: dict[tuple[Position, str, Position | None], Problem] = {}
        self._declared: dict[str, Declared] = {}
        self._contents: dict[str, bytes] = {}
        self._read: set[Path] = set()
        self._layers: dict[tuple[Path, Path], Layer] = {}

    def add_folder(self, folder: Path, top: Path) -> None:
        """Read what is in *folder* and below. Raises UnreadableSource."""
        search = Search(self._root, top)
        for file in search.files(folder):
            self.add_file(file, top)
        self.add_problems(search.problems)

    def add_file(self, file: Path, top: Path | None) -> None:
        """Read the task file, or file of defaults, once. What lies below *top* inherits from there."""
        if file.name in DEFAULTS and top is not None:
            self._defaults_of(file.parent, top)
        elif file not in self._read:
            self._read.add(file)
            below = NOTHING if top is None else self._defaults_of(file.parent, top)
            content = self._content(file)
            if content is not None:
                calendars = self.calendars_of(file.parent if top is None else top)
                self.add(shown_path(file, self._root), content, below, calendars)

    def calendars_of(self, tasks: Path) -> CalendarFiles:
        """Return the calendars that what is in the tasks folder *tasks* may name."""
        known = self._calendars.get(tasks)
        if known is None:
            elsewhere = self._project is not None and tasks != self._project
            behind = self.calendars_of(self._project) if elsewhere and self._project else {}
            known = CalendarFiles(calendar_folders(tasks), self._root, self._read_calendar, behind)
            self._calendars[tasks] = known
            self.add_problems(known.problems)
        return known

    def _read_calendar(self, name: str, file: Path) -> Calendar | None:
        content = self._content(file)
        if content is None:
            return None
        shown = shown_path(file, self._root)
        self._contents[shown] = content
        findings = self._reading.findings(shown)
        calendar = read_calendar(content, name, findings)
        self.add_problems(findings.problems)
        return calendar

    def add(self, file: str, content: bytes, below: Layer, calendars: Mapping[str, Calendar | None]) -> None:
        self._contents[file] = content
        found = read_file(content, file, replace(self._reading, calendars=calendars), below)
        self.add_problems(found.problems)
        for task in found.tasks:
            first = self._declared.setdefault(task.name, task)
            if first is not task:
                message = f"task `{task.name}` is declared twice"
                self.add_problems([Problem(first.position, message, task=task.name, also=task.position)])

    def add_problems(self, problems: Sequence[Problem]) -> None:
        """Add what is not said yet: what several tasks inherit is wrong once."""
        for problem in problems:
            self._problems.setdefault((problem.position, problem.message, problem.also), problem)

    def _defaults_of(self, folder: Path, top: Path) -> Layer:
        """Return what the tasks in *folder* inherit from the files of defaults in it and above."""
        known = self._layers.get((folder, top))
        if known is None:
            above = NOTHING if folder == top else self._defaults_of(folder.parent, top)
            known = self._layers[folder, top] = self._read_defaults(folder, above)
        return known

    def _read_defaults(self, folder: Path, above: Layer) -> Layer:
        files = [folder / name for name in DEFAULTS if os.path.lexists(folder / name)]
        layer = above
        for file in files[:1]:
            content = self._content(file)
            if content is None:
                return replace(above, failed=True)
            shown = shown_path(file, self._root)
            self._contents[shown] = content
            layer, problems = read_defaults(content, shown, self._reading, above)
            self.add_problems(problems)
        for file in files[1:]:
            first, second = (Position(shown_path(each, self._root)) for each in (files[0], file))
            message = f"`{file.name}` stands beside `{files[0].name}`"
            self.add_problems([Problem(second, message, "keep one of them", also=first)])
        return layer

    def _content(self, file: Path) -> bytes | None:
        """Return what is in the file, or None, having said why it cannot be read."""
        shown = shown_path(file, self._root)
        try:
            return content_of(file)
        except OSError as error:
            self._contents[shown] = b""
            reason = (error.strerror or str(error)).lower()
            self.add_problems([Problem(Position(shown), f"the file cannot be read: {reason}")])
            return None

    def loaded(self) -> Loaded:
        specs = [task.spec for task in self._declared.values() if task.spec is not None]
        traced = self._reading.traced
        self._warn_of_pile_up(specs)
        return Loaded(
            tuple(sorted(specs, key=lambda spec: spec.name)),
            tuple(sorted(self._problems.values(), key=lambda problem: problem.position)),
            len(self._contents),
            len(self._declared),
            self._digest(),
            self._declared.get(traced) if traced is not None else None,
        )

    def _warn_of_pile_up(self, specs: Sequence[TaskSpec]) -> None:
        found = advice_on_pile_up(specs)
        warning = None if found is None else warning_of_pile_up(found)
        if warning is not None:
            self.add_problems([warning])

    def _digest(self) -> str:
        parts = dict(self._contents)
        for name, value in self._reading.references.used.items():
            parts[f"${name}"] = b"" if value is None else b"=" + os.fsencode(value)
        digest = hashlib.sha256()
        for name, content in sorted(parts.items()):
            for part in (name.encode(), content):
                digest.update(len(part).to_bytes(8, "big") + part)
        return digest.hexdigest()
