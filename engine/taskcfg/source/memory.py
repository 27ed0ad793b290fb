"""What task files said when they were last read: a file that has not changed is not read again.

Only what reads without an error is remembered, and only where nothing but the files, the day and this program
decide what it says; decision 0019 lists what is read anew each time.
"""

from __future__ import annotations

import gc
import hashlib
import os
import pickle
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import fields, is_dataclass
from io import BytesIO
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any

import pydantic
import yaml

from taskcfg.problems import Severity
from taskcfg.settings import Settings
from taskcfg.source.environments import Environments
from taskcfg.source.overlays import Overlay
from taskcfg.source.reading import FileReading
from taskcfg.source.schedules.prospects import may_end
from taskcfg.source.zone_data import zone_database
from taskcfg.spec.schedule import parts_of
from taskcfg.types.registry import SHIPPED

FOLDER = "cache"
_DIGEST = 32
_IGNORED = "# what task files said when they were last read: it may be deleted at any time\n*\n"


class Memory:
    """What was read before, by a digest of all that decides it; kept in *file*, which *context* must fit.

    Where that file is missing, damaged or of another context, nothing is remembered. Where it cannot be
    written, nothing will be: no command fails for it.
    """

    def __init__(self, file: Path, context: bytes) -> None:
        self._file = file
        self._context = context
        self._before: dict[bytes, FileReading] | None = None
        self._now: dict[bytes, FileReading] = {}

    def find(self, key: bytes) -> FileReading | None:
        """Return what the file of that *key* says, None where it must be read."""
        if self._before is None:
            self._before = _read(self._file, self._context)
        found = self._before.get(key)
        if found is not None:
            self._now[key] = found
        return found

    def keep(self, key: bytes, found: FileReading) -> None:
        """Remember what the file of that *key* says, which `lasts`."""
        for spec in found.specs:
            _ = spec.digest  # it is kept with the spec
        self._now[key] = found

    def save(self) -> None:
        """Write down what the load found, if that is not there already. To be called of a whole load
        without errors only: what several files inherit is reported with one of them."""
        if self._now.keys() == (self._before or {}).keys():
            return
        payload = _pickled(self._now)
        with suppress(OSError):
            _write(self._file, self._context + hashlib.sha256(payload).digest() + payload)


def memory_of(settings: Settings, environments: Environments) -> Memory:
    """Return the memory of the project's tasks folder, as it is read for *environments*."""
    variant = digest_of_parts(str(settings.tasks_dir), environments).hex()
    folder = settings.state_folder / FOLDER
    return Memory(folder / f"tasks-{variant[:16]}", _this_program())


def lasts(found: FileReading, checked: Sequence[Overlay]) -> bool:
    """Say whether a file has no error, and will say the same for the rest of the day until it changes.

    The types of others check params with code of their own, a schedule that may end is over at some hour,
    and of what the *checked* environments say nothing is kept.
    """
    return all(problem.severity is Severity.WARNING for problem in found.problems) and all(
        task.spec is not None
        and task.spec.type in SHIPPED
        and not any(may_end(part) for part in parts_of(task.spec.schedule))
        and not any(task.name in overlay.tasks for overlay in checked)
        for task in found.tasks
    )


def digest_of_parts(*parts: object) -> bytes:
    """Return the digest of *parts*, which are told apart: their `repr` says all of them."""
    return hashlib.sha256(repr(parts).encode("utf-8", "surrogateescape")).digest()


def _this_program() -> bytes:
    """Return the digest of what reads: our code and the libraries under it, and the time zones."""
    try:
        zones = zone_database()
    except OSError as error:
        zones = str(error)  # then no zone can be read either, and nothing reads clean
    return digest_of_parts(sys.version, pydantic.VERSION, yaml.__version__, zones, *_code())


def _code() -> Iterator[tuple[str, int, int]]:
    """Yield path, size and time of change of every module of the package."""
    top = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    for folder, folders, names in os.walk(top):
        folders.sort()
        for name in sorted(names):
            if name.endswith(".py"):
                path = os.path.join(folder, name)
                status = os.stat(path)
                yield path, status.st_size, status.st_mtime_ns


class _Pickler(pickle.Pickler):
    """Has dataclasses with slots made by their constructors: their own way back is several times slower."""

    def __init__(self, file: BytesIO) -> None:
        super().__init__(file, pickle.HIGHEST_PROTOCOL)
        self._known: dict[type, tuple[str, ...] | None] = {}

    def reducer_override(self, obj: Any) -> Any:
        kind = type(obj)
        if kind not in self._known:
            self._known[kind] = _slotted(kind)
        names = self._known[kind]
        return NotImplemented if names is None else (type(obj), tuple(getattr(obj, name) for name in names))


def _slotted(kind: type) -> tuple[str, ...] | None:
    """Return the fields of a dataclass with slots, None of another type."""
    if is_dataclass(kind) and "__slots__" in vars(kind):
        return tuple(each.name for each in fields(kind))
    return None


def _pickled(value: object) -> bytes:
    buffer = BytesIO()
    _Pickler(buffer).dump(value)
    return buffer.getvalue()


def _read(file: Path, context: bytes) -> dict[bytes, FileReading]:
    try:
        content = file.read_bytes()
    except OSError:
        return {}
    head, payload = content[: 2 * _DIGEST], content[2 * _DIGEST :]
    if head != context + hashlib.sha256(payload).digest():
        return {}
    with _without_collecting():
        found: dict[bytes, FileReading] = pickle.loads(payload)
    return found


@contextmanager
def _without_collecting() -> Iterator[None]:
    """Nothing becomes garbage while much is made, and looking for it takes as long as making it."""
    collects = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collects:
            gc.enable()


def _write(file: Path, content: bytes) -> None:
    """Put *content* in the place of *file* at once: another reader finds the one or the other."""
    file.parent.mkdir(parents=True, exist_ok=True)
    ignoring = file.parent / ".gitignore"
    if not ignoring.exists():
        ignoring.write_text(_IGNORED, encoding="utf-8")
    with NamedTemporaryFile(dir=file.parent, prefix=f"{file.name}.", delete=False) as draft:
        try:
            draft.write(content)
            draft.close()
            os.replace(draft.name, file)
        except BaseException:
            with suppress(OSError):
                os.unlink(draft.name)
            raise
