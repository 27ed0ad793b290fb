"""Task files into the canonical layout, each whole or not at all."""

from __future__ import annotations

import os
import stat
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from taskcfg.errors import InvalidTaskFiles, UnreadableSource
from taskcfg.problems import Position, Problem
from taskcfg.source.findings import Findings
from taskcfg.source.folders import Search, content_of, shown_path
from taskcfg.source.layout import formatted
from taskcfg.source.yaml_reader import decoded


@dataclass(frozen=True, slots=True)
class Rewritten:
    """How many files were looked at, which were not in the layout, and what kept others as they are."""

    files: int
    changed: tuple[str, ...]
    problems: tuple[Problem, ...]


def rewrite(paths: Sequence[Path], *, root: Path, top: Path, check: bool = False) -> Rewritten:
    """Put the task files in *paths*, files and folders, into the layout; with *check* write nothing.

    Paths in the answer are relative to *root*; *top* is the tasks folder. A file keeps its mode and
    its symbolic links, and is replaced whole. Raises UnreadableSource when one of *paths* is not
    there, or is a folder that cannot be read.
    """
    problems: list[Problem] = []
    changed: list[str] = []
    files = list(dict.fromkeys(_files_in(paths, root, top, problems)))
    for file in files:
        shown = shown_path(file, root)
        try:
            if _rewrite_file(file, shown, check):
                changed.append(shown)
        except InvalidTaskFiles as error:
            problems += error.problems
        except OSError as error:
            reason = (error.strerror or str(error)).lower()
            problems.append(Problem(Position(shown), f"the file cannot be formatted: {reason}"))
    problems.sort(key=lambda problem: problem.position)
    return Rewritten(len(files), tuple(changed), tuple(problems))


def rewritten_text(content: bytes, file: str = "<stdin>") -> str:
    """Return *content*, a task file's bytes, in the layout. Raises InvalidTaskFiles."""
    findings = Findings(file)
    text = decoded(content, findings)
    if text is None:
        raise InvalidTaskFiles(findings.problems, files=1)
    return formatted(text, file)


def _files_in(paths: Sequence[Path], root: Path, top: Path, problems: list[Problem]) -> Iterator[Path]:
    for path in paths:
        place = Path(os.path.abspath(path))
        if place.is_dir():
            within = place == top or top in place.parents
            search = Search(root, top if within else place)
            yield from search.files(place)
            problems += search.problems
        elif place.exists():
            yield place
        else:
            raise UnreadableSource(f"{shown_path(path, root)}: there is no such file or folder")


def _rewrite_file(file: Path, shown: str, check: bool) -> bool:
    """Return whether *file* was not in the layout. Raises InvalidTaskFiles, OSError."""
    content = content_of(file)
    result = rewritten_text(content, shown).encode("utf-8", "surrogatepass")
    if result == content:
        return False
    if not check:
        _replace(Path(os.path.realpath(file)), result)
    return True


def _replace(file: Path, content: bytes) -> None:
    """Replace what is in *file* at once. Raises OSError, the file being as it was."""
    if not os.access(file, os.W_OK):
        raise PermissionError(0, "it is read-only")
    status = file.stat()
    # Hidden, so that nobody who reads the folder meanwhile takes it for a task file.
    descriptor, name = tempfile.mkstemp(prefix=f".{file.name[:100]}.", suffix=".tmp", dir=file.parent)
    try:
        with open(descriptor, "wb") as stream:
            stream.write(content)
            if os.geteuid() == 0:
                os.fchown(descriptor, status.st_uid, status.st_gid)
            os.fchmod(descriptor, stat.S_IMODE(status.st_mode))
            stream.flush()
            os.fsync(descriptor)
        os.replace(name, file)
    except BaseException:
        os.unlink(name)
        raise
