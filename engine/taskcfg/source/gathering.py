"""One load: the files read so far, with what they inherit and what environments say, put together."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from taskcfg.problems import Position, Problem, Severity
from taskcfg.source.calendars.files import CalendarFiles
from taskcfg.source.calendars.reading import read_calendar
from taskcfg.source.environments import NO_ENVIRONMENT, EnvironmentFiles, Environments, Overlays
from taskcfg.source.folders import (
    DEFAULTS,
    Search,
    calendar_folders,
    content_of,
    environment_folders,
    shown_path,
)
from taskcfg.source.layers import NOTHING, Layer
from taskcfg.source.loaded import Loaded
from taskcfg.source.memory import Memory, digest_of_parts, lasts
from taskcfg.source.overlays import Overlay, read_overlay
from taskcfg.source.reading import Declared, FileReading, Reading, read_defaults, read_file
from taskcfg.source.renames import mistaken_renames
from taskcfg.source.schedules.advising import warning_of_pile_up
from taskcfg.spec.calendar import Calendar
from taskcfg.spec.task import TaskSpec
from taskcfg.spec.task_advice import advice_on_pile_up


class Gathered:
    """What the files read so far hold, together."""

    def __init__(
        self,
        reading: Reading,
        root: Path,
        project: Path | None,
        environments: Environments,
        memory: Memory | None = None,
    ) -> None:
        self._reading = reading
        self._memory = memory
        self._root = root
        self._project = project
        self._environments = environments
        self._overlays: dict[Path, Overlays] = {}
        self._names_unclear = False
        self._calendars: dict[Path, CalendarFiles] = {}
        self._problems: dict[tuple[Position, str, Position | None], Problem] = {}
        self._declared: dict[str, Declared] = {}
        self._digests: dict[str, str] = {}
        self._read: set[Path] = set()
        self._layers: dict[tuple[Path, Path], Layer] = {}

    def add_top(self, top: Path) -> None:
        """Read the tasks folder *top* with its calendars and environments. Raises UnreadableSource."""
        self.add_folder(top, top)
        self.calendars_of(top).read_all()
        for overlay in self.overlays_of(top).read:
            if not self._names_unclear:  # else a task may be named in what could not be read
                self.add_problems([*overlay.unknown(self._declared)])

    def check_environments(self, place: Path, project: Path) -> None:
        """Find what is wrong with the tasks of *project* only in the environments at *place*."""
        files = EnvironmentFiles(environment_folders(project), self._root)
        plain = Gathered(replace(self._reading, traced=None), self._root, project, NO_ENVIRONMENT)
        plain.add_top(project)
        self.add_problems(files.problems)
        for name, file in files.files.items():
            if place not in (file, file.parent):
                continue
            merged = Gathered(plain._reading, self._root, project, Environments(name))
            merged.add_top(project)
            self.add_problems(
                [found for key, found in merged._problems.items() if key not in plain._problems]
            )
            shown = shown_path(file, self._root)
            self._digests[shown] = merged._digests[shown]

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
                self.add(shown_path(file, self._root), content, below, file.parent if top is None else top)

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
        self._note(shown, content)
        findings = self._reading.findings(shown)
        calendar = read_calendar(content, name, findings)
        self.add_problems(findings.problems)
        return calendar

    def overlays_of(self, tasks: Path) -> Overlays:
        """Return what environments say of tasks in the folder *tasks*. Raises UnknownEnvironment."""
        known = self._overlays.get(tasks)
        if known is None:
            files = EnvironmentFiles(environment_folders(tasks), self._root)
            self.add_problems(files.problems)
            name = self._environments.name
            if self._project not in (None, tasks) and name is not None and name not in files.files:
                known = self.overlays_of(self._project)
            else:
                known = files.overlays(self._environments, self._read_overlay)
            self._overlays[tasks] = known
        return known

    def _read_overlay(self, name: str, file: Path) -> Overlay | None:
        content = self._content(file)
        if content is None:
            return None
        shown = shown_path(file, self._root)
        digest = self._note(shown, content)
        findings = self._reading.findings(shown)
        asked = len(self._reading.references.asked)
        overlay = read_overlay(content, name, findings)
        self.add_problems(findings.problems)
        return replace(overlay, digest=digest_of_parts(shown, digest, self._asked_since(asked)))

    def add(self, file: str, content: bytes, below: Layer, tasks: Path | None) -> None:
        """Read a task file's *content*, with the calendars and environments of the tasks folder *tasks*."""
        digest = self._note(file, content)
        overlays = Overlays() if tasks is None else self.overlays_of(tasks)
        reading = replace(
            self._reading,
            calendars={} if tasks is None else self.calendars_of(tasks),
            overlay=overlays.merged,
            checked=overlays.checked,
        )
        found = self._found(content, digest, file, reading, below)
        self.add_problems(found.problems)
        self._names_unclear |= any(_about_no_task(problem) for problem in found.problems)
        for task in found.tasks:
            first = self._declared.setdefault(task.name, task)
            if first is not task:
                message = f"task `{task.name}` is declared twice"
                self.add_problems([Problem(first.position, message, task=task.name, also=task.position)])

    def _found(self, content: bytes, digest: str, file: str, reading: Reading, below: Layer) -> FileReading:
        """Return what the file says: as it is remembered, if nothing has changed, else as it is read."""
        memory, asked = self._memory, len(reading.references.asked)
        if memory is None:
            return read_file(content, file, reading, below)
        laid_over = [overlay.digest for overlay in (reading.overlay, *reading.checked) if overlay]
        key = digest_of_parts(reading.today, file, digest, below.digest, reading.overlay is None, laid_over)
        known = memory.find(key)
        if known is not None and self._is_plain(known):
            return known
        found = read_file(content, file, reading, below)
        if len(reading.references.asked) == asked and lasts(found, reading.checked) and self._is_plain(found):
            memory.keep(key, found)
        return found

    def _is_plain(self, found: FileReading) -> bool:
        """Say whether what it says depends on nothing else that is read: the types, which may look at the
        settings, find nothing wrong, and its warnings need not hide the values of variables."""
        misfits, used = self._reading.registry.misfits, self._reading.references.used
        return not (found.problems and used) and not any(misfits(spec) for spec in found.specs)

    def _asked_since(self, before: int) -> list[tuple[str, str | None]]:
        """Return the variables that were asked for after the first *before*, with their values."""
        references = self._reading.references
        return [(name, references.used[name]) for name in references.asked[before:]]

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
            shown = shown_path(file, self._root)
            if content is None:
                return replace(above, failed=True, digest=digest_of_parts(above.digest, shown, None))
            said = self._note(shown, content)
            asked = len(self._reading.references.asked)
            layer, problems = read_defaults(content, shown, self._reading, above)
            self.add_problems(problems)
            digest = digest_of_parts(above.digest, shown, said, self._asked_since(asked))
            layer = replace(layer, digest=digest)
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
            self._note(shown, b"")
            reason = (error.strerror or str(error)).lower()
            self.add_problems([Problem(Position(shown), f"the file cannot be read: {reason}")])
            self._names_unclear = True
            return None

    def loaded(self) -> Loaded:
        specs = [task.spec for task in self._declared.values() if task.spec is not None]
        traced = self._reading.traced
        self.add_problems(mistaken_renames(self._declared))
        self._warn_of_pile_up(specs)
        if self._memory is not None and not any(_is_error(problem) for problem in self._problems.values()):
            self._memory.save()
        return Loaded(
            tuple(sorted(specs, key=lambda spec: spec.name)),
            tuple(sorted(self._problems.values(), key=lambda problem: problem.position)),
            len(self._digests),
            len(self._declared),
            self._all_digests(),
            self._declared.get(traced) if traced is not None else None,
        )

    def _warn_of_pile_up(self, specs: Sequence[TaskSpec]) -> None:
        found = advice_on_pile_up(specs)
        warning = None if found is None else warning_of_pile_up(found)
        if warning is not None:
            self.add_problems([warning])

    def _note(self, shown: str, content: bytes) -> str:
        """Note that the file was read; return the digest of its content."""
        digest = self._digests[shown] = hashlib.sha256(content).hexdigest()
        return digest

    def _all_digests(self) -> dict[str, str]:
        values = {
            f"${name}": b"" if value is None else b"=" + os.fsencode(value)
            for name, value in self._reading.references.used.items()
        }
        return self._digests | {name: hashlib.sha256(value).hexdigest() for name, value in values.items()}


def _about_no_task(problem: Problem) -> bool:
    """Say whether the problem may have hidden a task's name: such as bad syntax."""
    return problem.task is None and _is_error(problem)


def _is_error(problem: Problem) -> bool:
    return problem.severity is Severity.ERROR
