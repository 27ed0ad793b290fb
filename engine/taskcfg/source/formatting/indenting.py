"""Where each line of an outlined text begins, and the space inside it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto

from taskcfg.source.formatting.outline import Block, Entry, Outline, Text, content_column, indicators


class Kind(Enum):
    """What a line is. A `PART` is inside a text of several lines."""

    CONTENT = auto()
    COMMENT = auto()
    BLANK = auto()
    PART = auto()


@dataclass(slots=True, eq=False)
class Line:
    """A line at its new place.

    A comment that `leads` is about the line below it. `is_open` says that a blank line behind it
    would be part of its text, `is_spaced` that there must be one before it.
    """

    kind: Kind
    text: str
    indent: int
    leads: bool = False
    is_open: bool = False
    is_spaced: bool = False


def indented(seen: Outline) -> list[Line]:
    """Return the lines of *seen* with their new indentation, in their old order."""
    lines: list[Line | None] = [None] * len(seen.lines)
    shifts = _lay_content(seen, lines)
    for text in seen.texts:
        if text.is_block:
            _lay_block_text(text, seen, lines)
        else:
            _lay_text(text, seen, lines, shifts)
    return _Comments(seen, lines).laid_out()


def _lay_content(seen: Outline, lines: list[Line | None]) -> dict[int, int]:
    """Lay out the lines that begin with a token; return how far those are shifted that begin no entry."""
    shifts: dict[int, int] = {}
    parts = {number for text in seen.texts for number in range(text.first + 1, text.last + 1)}
    for number, (token, entry) in seen.starts.items():
        if number in parts:
            continue
        indent = 0
        if entry is not None and entry.line == number:
            indent = _first_of_line(entry).block.indent
        elif entry is not None:
            indent = entry.block.indent + 2
            shifts[number] = indent - token.start_mark.column
        line = seen.lines[number]
        for start, end, space in sorted(seen.gaps.get(number, []), reverse=True):
            line = line[:start] + space + line[end:]
        lines[number] = Line(Kind.CONTENT, line.strip(" \t"), indent)
    return shifts


def _first_of_line(entry: Entry) -> Entry:
    while entry.block.parent is not None and entry.block.parent.line == entry.line:
        entry = entry.block.parent
    return entry


def _lay_text(text: Text, seen: Outline, lines: list[Line | None], shifts: dict[int, int]) -> None:
    """Shift the lines of a text behind its first as a whole, but never to the left of its block."""
    block = text.entry.block if text.entry else None
    shift = shifts.get(text.first, block.indent - block.column if block else 0)
    least = 0 if block is None else block.indent + (2 if not text.style else 0)
    for number in range(text.first + 1, text.last + 1):
        line = seen.lines[number]
        content = line.lstrip(" ")
        indent = max(len(line) - len(content) + shift, least)
        if number == text.last:
            content = content.rstrip(" \t")
        lines[number] = Line(Kind.PART, content, indent if content else 0)


def _lay_block_text(text: Text, seen: Outline, lines: list[Line | None]) -> None:
    """Lay out a literal or folded text, two columns inside its block."""
    inside = seen.lines[text.first + 1 : text.last + 1]
    block = text.entry.block if text.entry else None
    signs = indicators(seen.lines[text.first], text.column)
    column = content_column(inside, signs, block.column if block else -1)
    shift = 0
    if block is not None and column is not None:
        given = signs.strip("+-")
        shift = block.indent - block.column if given else block.indent + 2 - column
    for number, line in enumerate(inside, text.first + 1):
        content = line.lstrip(" ")
        indent = len(line) - len(content)
        if not content and (column is None or indent <= column):
            indent = -shift
        lines[number] = Line(Kind.PART, content, indent + shift)
    _end_block_text(text, signs, seen, lines)


def _end_block_text(text: Text, signs: str, seen: Outline, lines: list[Line | None]) -> None:
    first, last = lines[text.first], lines[text.last]
    if first is None or last is None:
        return
    last.is_open = "+" in signs
    if text.last == len(seen.lines) - 1 and "-" not in signs and last is not first:
        # The end of the file cuts off its line end, which the file is about to get.
        header = seen.lines[text.first][text.column :].rstrip(" \t")
        start = len(first.text) - len(header) + 1
        first.text = f"{first.text[:start]}{signs.replace('+', '')}-{first.text[start + len(signs) :]}"
        last.is_open = False


class _Comments:
    """Lays out comments and blank lines.

    A comment is about the line below it, unless it stands deeper than that: then it ends the block
    that it stands in.
    """

    def __init__(self, seen: Outline, lines: list[Line | None]) -> None:
        self._seen = seen
        self._lines = lines
        self._markers = frozenset(seen.markers)
        self._below = self._columns_below()

    def laid_out(self) -> list[Line]:
        """Return all lines."""
        whole: list[Line] = []
        last: Entry | None = None
        leads = False
        for number, line in enumerate(self._lines):
            if line is None:
                line = self._between(number, last, leads)
                leads = leads or line.leads
            else:
                leads = False
                last = None if number in self._markers else self._seen.inner.get(number, last)
            whole.append(line)
        return whole

    def _between(self, number: int, last: Entry | None, leads: bool) -> Line:
        """Return the comment or blank line *number*, behind the entry *last*."""
        old = self._seen.lines[number]
        content = old.strip(" \t")
        if not content:
            return Line(Kind.BLANK, "", 0)
        column = len(old) - len(old.lstrip(" \t"))
        below = self._below[number]
        if below is not None and (leads or last is None or column <= below[0]):
            return Line(Kind.COMMENT, content, below[1], leads=True)
        return Line(Kind.COMMENT, content, _depth(column, last))

    def _columns_below(self) -> list[tuple[int, int] | None]:
        """Return for each line the old and the new column of the next one with content in its document."""
        below: list[tuple[int, int] | None] = []
        found: tuple[int, int] | None = None
        for number in reversed(range(len(self._lines))):
            below.append(found)
            line = self._lines[number]
            if number in self._markers:
                found = None
            elif line is not None and number in self._seen.starts:
                found = (self._seen.starts[number][0].start_mark.column, line.indent)
        return below[::-1]


def _depth(column: int, last: Entry | None) -> int:
    """Return where a comment at *column* belongs that ends a block around the entry *last*."""
    around: list[Block] = [] if last is None else [b for b in last.block.chain if b.column <= column]
    if not around:
        return 0
    return around[-1].indent if around[-1].column == column else around[-1].indent + 2
