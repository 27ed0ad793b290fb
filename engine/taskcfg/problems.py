"""What is wrong in a file, where, and what to do about it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

STDIN = "<stdin>"
"""What stands for the file in the position of a problem in a text that came from no file."""


class Severity(StrEnum):
    """Whether a problem stops an apply (`error`) or only asks for a look (`warning`)."""

    ERROR = "error"
    WARNING = "warning"


@dataclass(frozen=True, slots=True, order=True)
class Position:
    """A place in a file; line and column count from 1, in characters. Line 0: the file as a whole."""

    file: str
    line: int = 0
    column: int = 0

    @property
    def is_file(self) -> bool:
        """Whether a file can be opened at the place."""
        return self.file != STDIN

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}" if self.line else self.file


@dataclass(frozen=True, slots=True)
class Problem:
    """One mistake in the user's files.

    `message` says what is wrong, beginning with the dotted `field` where there is one;
    `hint` says what to do next; `also` is the other place, where two places disagree.
    """

    position: Position
    message: str
    hint: str | None = None
    task: str | None = None
    field: str | None = None
    also: Position | None = None
    severity: Severity = Severity.ERROR

    def text(self) -> str:
        """Return the problem as the lines a terminal shows, without a last newline."""
        label = "warning: " if self.severity is Severity.WARNING else ""
        return f"{self.position}: {label}{self.explained('    ')}"

    def explained(self, indent: str = "") -> str:
        """Return the lines of `text` without the place, those after the first indented by *indent*."""
        lines = [self.message]
        if self.also is not None:
            lines.append(f"{indent}also at {self.also}")
        if self.hint:
            lines.append(f"{indent}{self.hint}")
        return "\n".join(lines)
