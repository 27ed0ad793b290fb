"""Folders, files and text to specs."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path

from taskcfg.clock import SystemClock
from taskcfg.errors import UnreadableSource
from taskcfg.problems import STDIN
from taskcfg.source.environments import NO_ENVIRONMENT, Environments
from taskcfg.source.folders import DEFAULTS, calendar_folders, environment_folders, shown_path
from taskcfg.source.gathering import Gathered
from taskcfg.source.layers import NOTHING
from taskcfg.source.loaded import Loaded
from taskcfg.source.memory import Memory
from taskcfg.source.reading import Reading
from taskcfg.source.references import References
from taskcfg.types.registry import Registry

__all__ = ["Loaded", "load_files", "load_folder", "load_text"]


def load_folder(
    folder: Path,
    registry: Registry,
    *,
    root: Path,
    now: datetime | None = None,
    environment: Mapping[str, str] = os.environ,
    environments: Environments = NO_ENVIRONMENT,
    traced: str | None = None,
    memory: Memory | None = None,
) -> Loaded:
    """Read every task file in *folder* and below, and every calendar beside and inside it.

    Paths in positions are relative to *root*; references take their values from *environment*;
    *environments* say which one is merged over the tasks; the task *traced* is returned with its
    layers. A file that *memory* knows is not read again, and the outcome is the same. Raises
    UnreadableSource when the folder is not there or cannot be read; what cannot be read in it is a
    problem, never "nothing there". Raises UnknownEnvironment.
    """
    reading = Reading(registry, now or SystemClock().now(), References(environment), traced)
    top = Path(os.path.abspath(folder))
    gathered = Gathered(reading, root, top, environments, memory if traced is None else None)
    gathered.add_top(top)
    return gathered.loaded()


def load_files(
    paths: Sequence[Path],
    registry: Registry,
    *,
    root: Path,
    tasks_dir: Path | None = None,
    now: datetime | None = None,
    environment: Mapping[str, str] = os.environ,
    environments: Environments = NO_ENVIRONMENT,
    traced: str | None = None,
) -> Loaded:
    """Read *paths*: of a folder what `load_folder` reads, of a file the file, whatever its name.

    What lies in *tasks_dir* inherits from the files of defaults there, from the top down. A folder
    elsewhere is a tasks folder of its own; a file elsewhere inherits nothing. Calendars are those
    beside and inside the file's own tasks folder, and then those of *tasks_dir*; so are environments.
    A file of an environment is read with the tasks it is for. Raises UnreadableSource when one of
    *paths* is not there, or is a folder that cannot be read, and UnknownEnvironment.
    """
    reading = Reading(registry, now or SystemClock().now(), References(environment), traced)
    project = None if tasks_dir is None else Path(os.path.abspath(tasks_dir))
    gathered = Gathered(reading, root, project, environments)
    calendars = () if project is None else calendar_folders(project)
    overlays = () if project is None else environment_folders(project)
    for path in paths:
        place = Path(os.path.abspath(path))
        top = _top_of(place, tasks_dir)
        if project is not None and (place in calendars or place.parent in calendars) and path.exists():
            gathered.calendars_of(project).read_in(place)
        elif project is not None and (place in overlays or place.parent in overlays) and path.exists():
            gathered.check_environments(place, project)
        elif path.is_dir() and place == top:
            gathered.add_top(place)
        elif path.is_dir() and top is not None:
            gathered.add_folder(place, top)
        elif path.exists():
            gathered.add_file(place, top)
        else:
            raise UnreadableSource(f"{shown_path(path, root)}: there is no such file or folder")
    return gathered.loaded()


def load_text(
    text: str | bytes,
    registry: Registry,
    *,
    file: str = STDIN,
    root: Path | None = None,
    tasks_dir: Path | None = None,
    now: datetime | None = None,
    environment: Mapping[str, str] = os.environ,
    environments: Environments = NO_ENVIRONMENT,
) -> Loaded:
    """Read one task file's *text*, which inherits nothing; *file* is its name in positions.

    It may name the calendars of *tasks_dir*, whose paths are relative to *root*; what *environments*
    there say is merged over its tasks. Raises UnknownEnvironment.
    """
    content = text.encode("utf-8", "surrogatepass") if isinstance(text, str) else text
    reading = Reading(registry, now or SystemClock().now(), References(environment))
    project = None if tasks_dir is None else Path(os.path.abspath(tasks_dir))
    gathered = Gathered(reading, root or Path(), project, environments)
    gathered.add(file, content, NOTHING, project)
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
