"""Task files into the canonical layout, each whole or not at all."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from taskcfg.errors import InvalidTaskFiles, UnreadableSource
from taskcfg.problems import Position, Problem
from taskcfg.source.findings import Findings
from taskcfg.source.folders import Search, content_of, shown_path
from taskcfg.source.formatting.layout import formatted
from taskcfg.source.replacing import replace_file
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
        replace_file(file, result)
    return True
