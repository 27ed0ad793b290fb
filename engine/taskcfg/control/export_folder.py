"""Live tasks as a tasks folder that is whole by itself: files of tasks, and the calendars they name."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import quote

from taskcfg.control.exporting import declarations
from taskcfg.errors import TaskcfgError
from taskcfg.settings import Settings
from taskcfg.source.environments import EnvironmentFiles
from taskcfg.source.folders import (
    BESIDE,
    CALENDARS,
    ENVIRONMENTS,
    NOT_TASKS,
    SUFFIXES,
    environment_folders,
    shown_path,
)
from taskcfg.source.replacing import replace_file
from taskcfg.source.writing import calendar_text, file_text
from taskcfg.spec.calendar import Calendar
from taskcfg.spec.schedule import calendars_of
from taskcfg.store.task_list import TaskRow
from taskcfg.types.registry import Registry

MOST_IN_A_FILE = 2000
"""Tasks; more go into a second file. What the loader reads of one file is limited."""

LONGEST_PREFIX = 60
"""Characters of a name that become a file's, where a task comes from no file."""

REST = "tasks.yaml"
"""The file of tasks that come from no file and have no dot in their names."""


@dataclass(frozen=True, slots=True)
class ExportedFolder:
    """What was written: the files, named from the folder, and how many tasks they hold."""

    folder: Path
    files: tuple[str, ...]
    tasks: int

    def document(self) -> dict[str, Any]:
        """Return the JSON shape of `taskcfg export --dir`."""
        return {"folder": str(self.folder), "files": list(self.files), "tasks": self.tasks}


def export_folder(
    rows: Sequence[TaskRow],
    registry: Registry,
    folder: Path,
    settings: Settings,
    *,
    by_source: bool = False,
    force: bool = False,
) -> ExportedFolder:
    """Write *rows* into *folder*: into the files that they came from, else by what their names begin with.

    With *by_source* each source gets a folder of its own below. The folder must be new or empty, but for
    hidden files; with *force* files of the same names are replaced and others stay. Raises TaskcfgError,
    having written nothing, where that is not so, or as `declarations` does; OSError.
    """
    _check_empty(folder, force=force)
    texts: dict[str, str] = {}
    for source in sorted({row.source for row in rows}) if by_source else [None]:
        mine = [row for row in rows if source is None or row.source == source]
        below = "" if source is None else f"{quote(source, safe='').replace('.', '%2E')}/"
        top = folder / below
        texts |= {f"{below}{name}": text for name, text in _texts(mine, registry, top, settings)}
    texts = texts or {REST: file_text({})}
    for name, text in sorted(texts.items()):
        _write(folder / name, text)
    return ExportedFolder(folder, tuple(sorted(texts)), len(rows))


def _check_empty(folder: Path, *, force: bool) -> None:
    try:
        found = sorted(name for name in os.listdir(folder) if not name.startswith("."))
    except FileNotFoundError:
        return
    if found and not force:
        raise TaskcfgError(
            f"{folder} is not empty: it has `{found[0]}`",
            hint="choose a new folder; `--force` replaces files of the same names and leaves all others",
        )


def _texts(
    rows: Sequence[TaskRow], registry: Registry, top: Path, settings: Settings
) -> Iterator[tuple[str, str]]:
    declared = declarations(rows, registry)
    base = shown_path(settings.tasks_dir, settings.project_root)
    for file, names in _within_limits(_by_file(rows, base)).items():
        yield file, file_text({name: declared[name] for name in names})
    for name, calendar in _calendars(rows).items():
        yield f"{CALENDARS}/{name}.yaml", calendar_text(calendar)
    if settings.env is not None and settings.env not in (*settings.environments, *_known_at(top)):
        yield f"{ENVIRONMENTS}/{settings.env}.yaml", file_text({})


def _known_at(top: Path) -> Mapping[str, Path]:
    return EnvironmentFiles(environment_folders(top), top).files


def _by_file(rows: Sequence[TaskRow], base: str) -> dict[str, list[str]]:
    """Return the names of the tasks by the file they go to, named from the folder."""
    came_from = [PurePosixPath(row.file) for row in rows if row.file is not None]
    within = base if all(file.is_relative_to(base) for file in came_from) else _common(came_from)
    spelled: dict[str, str] = {}
    files: dict[str, list[str]] = {}
    for row in rows:
        file = _named(row.file, within) or _of_prefix(row.name)
        # Where `A.yaml` and `a.yaml` are one file, the second must not replace the first.
        file = spelled.setdefault(file.casefold(), file)
        files.setdefault(file, []).append(row.name)
    return files


def _common(files: Sequence[PurePosixPath]) -> str:
    if len({file.is_absolute() for file in files}) != 1:
        return "."
    return os.path.commonpath([file.parent for file in files])


def _named(file: str | None, within: str) -> str | None:
    """Return *file* as it is named from the folder *within*, or None where no task file can be named so."""
    if file is None or not file.endswith(SUFFIXES) or not PurePosixPath(file).is_relative_to(within):
        return None
    parts = PurePosixPath(file).relative_to(within).parts
    if not parts or (len(parts) > 1 and parts[0].casefold() in BESIDE):
        return None
    return None if any(part.startswith(NOT_TASKS) for part in parts) else "/".join(parts)


def _of_prefix(name: str) -> str:
    prefix, dot, _ = name.partition(".")
    return f"{prefix[:LONGEST_PREFIX]}.yaml" if dot else REST


def _within_limits(files: Mapping[str, Sequence[str]]) -> dict[str, Sequence[str]]:
    """Return *files* with those divided that would hold too many tasks."""
    divided: dict[str, Sequence[str]] = dict(files)
    taken = {file.casefold() for file in files}
    for file, names in files.items():
        divided[file] = names[:MOST_IN_A_FILE]
        path, number = PurePosixPath(file), 1
        for start in range(MOST_IN_A_FILE, len(names), MOST_IN_A_FILE):
            more = file
            while more.casefold() in taken:
                number += 1
                more = str(path.with_name(f"{path.stem}-{number}{path.suffix}"))
            taken.add(more.casefold())
            divided[more] = names[start : start + MOST_IN_A_FILE]
    return divided


def _calendars(rows: Sequence[TaskRow]) -> dict[str, Calendar]:
    found: dict[str, Calendar] = {}
    for row in rows:
        for calendar in calendars_of(row.spec.schedule) if row.spec else ():
            first = found.setdefault(calendar.name, calendar)
            if first.digest != calendar.digest:
                raise TaskcfgError(
                    f"calendar `{calendar.name}` has other days for task `{row.name}` than for others",
                    hint="`taskcfg apply` of the task files gives all of them the same",
                )
    return dict(sorted(found.items()))


def _write(file: Path, text: str) -> None:
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        replace_file(file, text.encode())
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(file)) from error
