"""Plain columns for a terminal: widths from the data, two blanks between, nothing drawn."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from unicodedata import combining, east_asian_width

GUTTER = "  "


def table(headings: Sequence[str], rows: Iterable[Sequence[str | None]]) -> list[str]:
    """Return the lines of a table; an absent value shows as `-`, and the last column is not padded."""
    cells = [list(headings), *([one_line(cell) or "-" for cell in row] for row in rows)]
    widths = [max(display_width(row[index]) for row in cells) for index in range(len(headings))]
    return [GUTTER.join(map(_padded, row, widths)).rstrip() for row in cells]


def pairs(facts: Iterable[tuple[str, str | None]]) -> list[str]:
    """Return `name   value` lines, the values in one column; absent ones are left out."""
    shown = [(name, value) for name, value in facts if value is not None]
    width = max((display_width(name) for name, _ in shown), default=0)
    return [f"{_padded(name, width)}{GUTTER}{one_line(value)}" for name, value in shown]


def one_line(text: str | None) -> str:
    """Return *text* on one line, with nothing in it that a terminal would obey."""
    return printable(" ".join((text or "").split()))


def printable(text: str) -> str:
    """Return *text* with what a terminal would obey shown as `?`.

    That is control characters, but for line ends and tabs, separators of lines and paragraphs,
    and what turns the direction of writing about.
    """
    return text if text.isprintable() else _OBEYED.sub("?", text)


def shortened(text: str | None, most: int = 200) -> str:
    """Return the beginning of *text* on one line of at most *most* characters."""
    line = one_line((text or "")[: most * 4])
    return line if len(line) <= most and len(text or "") <= most * 4 else f"{line[: most - 3]}..."


_OBEYED = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")


def display_width(text: str) -> int:
    """Return how many columns a terminal gives *text*: two for wide letters, none for accents."""
    if text.isascii():
        return len(text)
    return sum(0 if combining(letter) else 2 if east_asian_width(letter) in "WF" else 1 for letter in text)


def _padded(text: str, width: int) -> str:
    return text + " " * (width - display_width(text))
