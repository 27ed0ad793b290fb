"""Task files in the canonical layout: no database, no types."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from taskcfg.control.documents import problem_document
from taskcfg.errors import InvalidTaskFiles, count
from taskcfg.problems import Problem
from taskcfg.settings import Settings
from taskcfg.source.formatting.rewriting import rewrite, rewritten_text


@dataclass(frozen=True, slots=True)
class Formatted:
    """What became of task files: `changed` names those that were not in the layout.

    With `is_check` nothing was written.
    """

    files: int
    changed: tuple[str, ...]
    problems: tuple[Problem, ...]
    is_check: bool

    @property
    def succeeded(self) -> bool:
        """Whether every file is in the layout now."""
        return not self.problems and not (self.is_check and self.changed)

    def total(self) -> str:
        """Return the last line of `taskcfg fmt`."""
        did = "would be formatted" if self.is_check else "formatted"
        left = len({problem.position.file for problem in self.problems})
        also = f", {left} left as {'it is' if left == 1 else 'they are'}" if left else ""
        return f"{len(self.changed)} of {count(self.files, 'file')} {did}{also}"

    def document(self) -> dict[str, Any]:
        """Return the JSON shape of `taskcfg fmt`."""
        return {
            "files": self.files,
            "changed": list(self.changed),
            "problems": [problem_document(problem) for problem in self.problems],
        }


def format_files(settings: Settings, paths: Sequence[Path] = (), *, check: bool = False) -> Formatted:
    """Put task files into the canonical layout: those of *paths*, else of the tasks folder.

    With *check* nothing is written. Raises UnreadableSource.
    """
    root = Path.cwd() if paths else settings.project_root
    done = rewrite(paths or [settings.tasks_dir], root=root, top=settings.tasks_dir, check=check)
    return Formatted(done.files, done.changed, done.problems, check)


def format_text(content: bytes) -> tuple[str, Formatted]:
    """Return *content*, one task file, in the layout, and what became of it.

    Where it is left as it is the text is empty.
    """
    try:
        text = rewritten_text(content)
    except InvalidTaskFiles as error:
        return "", Formatted(1, (), error.problems, False)
    changed = () if text.encode("utf-8", "surrogatepass") == content else ("<stdin>",)
    return text, Formatted(1, changed, (), False)
