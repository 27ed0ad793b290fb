"""The outline of a YAML text: its blocks, their entries, and what stands on each line."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from yaml._yaml import CParser
from yaml.tokens import (
    AliasToken,
    AnchorToken,
    BlockEndToken,
    BlockEntryToken,
    BlockMappingStartToken,
    BlockSequenceStartToken,
    DirectiveToken,
    DocumentEndToken,
    DocumentStartToken,
    FlowMappingEndToken,
    FlowMappingStartToken,
    FlowSequenceEndToken,
    FlowSequenceStartToken,
    KeyToken,
    ScalarToken,
    StreamEndToken,
    StreamStartToken,
    Token,
    ValueToken,
)


class NotLaidOut(Exception):
    """The text holds what we do not lay out; *line* counts from 0."""

    def __init__(self, reason: str, line: int) -> None:
        super().__init__(reason)
        self.line = line


@dataclass(eq=False)
class Block:
    """A mapping or a sequence in block style; `column` is where its keys or dashes stand."""

    is_mapping: bool
    column: int
    parent: Entry | None
    entries: list[Entry] = field(default_factory=list)

    @property
    def indent(self) -> int:
        """Return the column where it belongs: two for each level."""
        return 0 if self.parent is None else self.parent.block.indent + 2

    @property
    def chain(self) -> list[Block]:
        """Return the blocks around it, the outermost first, and itself."""
        return [*(self.parent.block.chain if self.parent else []), self]


@dataclass(eq=False)
class Entry:
    """A key with its value, or a dash with what follows it; `line` is where it begins."""

    block: Block
    line: int
    column: int
    key: str | None = None
    nested: Block | None = None


@dataclass
class Text:
    """A scalar or flow collection of several lines: `first` to `last`, begun in `entry`."""

    first: int
    last: int
    entry: Entry | None
    style: str
    column: int

    @property
    def is_block(self) -> bool:
        return self.style in ("|", ">")


@dataclass
class Outline:
    """What was seen. `starts` maps a line to its first token and the entry that token is in."""

    lines: list[str]
    roots: list[Block] = field(default_factory=list)
    markers: list[int] = field(default_factory=list)
    """Lines that begin or end a document."""
    inner: dict[int, Entry | None] = field(default_factory=dict)
    """The entry that the last token ending on a line is in."""
    starts: dict[int, tuple[Token, Entry | None]] = field(default_factory=dict)
    texts: list[Text] = field(default_factory=list)
    gaps: dict[int, list[tuple[int, int, str]]] = field(default_factory=dict)
    """By line: start and end column of spaces, and what they become."""
    anchors: dict[int, list[str]] = field(default_factory=dict)
    aliases: dict[int, list[str]] = field(default_factory=dict)
    """By line, as the anchors: their names."""
    ends: dict[int, int] = field(default_factory=dict)
    """Where the last token that ends on a line ends."""


_BREAKS = re.compile("[\x85\u2028\u2029]")
_FLOW_STARTS = (FlowMappingStartToken, FlowSequenceStartToken)
_FLOW_ENDS = (FlowMappingEndToken, FlowSequenceEndToken)
_NOWHERE = (
    StreamStartToken,
    StreamEndToken,
    BlockMappingStartToken,
    BlockSequenceStartToken,
    BlockEndToken,
    KeyToken,
)
"""Tokens without text of their own; an implicit key has its place from its scalar."""


def outline(text: str) -> Outline:
    """Return the outline of *text*, which is valid and has `\\n` for its line ends. Raises NotLaidOut."""
    odd = _BREAKS.search(text)
    if odd:
        reason = f"it holds U+{ord(odd.group()):04X}, which some take for the end of a line"
        raise NotLaidOut(reason, text.count("\n", 0, odd.start()))
    reader = _Reader(text)
    for token in _tokens(text):
        reader.take(token)
    return reader.seen


def _tokens(text: str) -> Iterator[Token]:
    parser = CParser(text)
    while (token := parser.get_token()) is not None:
        yield token


class _Reader:
    """Takes one token after the other."""

    def __init__(self, text: str) -> None:
        self.seen = Outline(text.split("\n"))
        self._block: Block | None = None
        self._entry: Entry | None = None
        self._flow: list[Token] = []
        self._previous: Token | None = None
        self._names_key = False

    def take(self, token: Token) -> None:
        if not self._flow:
            self._take_structure(token)
        if not isinstance(token, _NOWHERE):
            self._take_text(token)
            self._previous = token

    def _take_structure(self, token: Token) -> None:
        line, column = token.start_mark.line, token.start_mark.column
        match token:
            case DocumentStartToken() | DirectiveToken() | DocumentEndToken():
                self._block = self._entry = None
                self.seen.markers.append(line)
            case BlockMappingStartToken() | BlockSequenceStartToken():
                self._open(isinstance(token, BlockMappingStartToken), column)
            case BlockEntryToken() | KeyToken():
                self._begin(token, line, column)
            case BlockEndToken():
                self._leave_indentless()
                self._leave()
            case ValueToken():
                self._names_key = False

    def _open(self, is_mapping: bool, column: int) -> None:
        block = Block(is_mapping, column, self._entry)
        if self._entry is not None:
            self._entry.nested = block
        else:
            self.seen.roots.append(block)
        self._block = block

    def _begin(self, token: Token, line: int, column: int) -> None:
        self._names_key = isinstance(token, KeyToken)
        if self._names_key:
            self._leave_indentless()
            if self.seen.lines[line][column : column + 1] == "?":
                raise NotLaidOut("a key begins with `?`", line)
        elif self._block is None or self._block.is_mapping:
            self._open(False, column)
        if self._block is None:
            raise NotLaidOut("it is not clear where an entry belongs", line)
        self._entry = Entry(self._block, line, column)
        self._block.entries.append(self._entry)

    def _leave_indentless(self) -> None:
        """Leave a sequence whose dashes stand below its key: nothing marks its end."""
        block = self._block
        if block and not block.is_mapping and block.parent and block.parent.column == block.column:
            self._leave()

    def _leave(self) -> None:
        if self._block is not None:
            self._entry = self._block.parent
            self._block = self._entry.block if self._entry else None

    def _take_text(self, token: Token) -> None:
        start, end = token.start_mark, token.end_mark
        if not self._flow:
            self.seen.starts.setdefault(start.line, (token, self._entry))
            self._take_gap(token)
        match token:
            case AnchorToken():
                self.seen.anchors.setdefault(start.line, []).append(token.value)
            case AliasToken():
                self.seen.aliases.setdefault(start.line, []).append(token.value)
            case ScalarToken():
                self._take_scalar(token)
            case _:
                self._take_flow(token)
        if not _is_block_text(token):
            self.seen.ends[end.line] = end.column
            self.seen.inner[end.line] = self._entry

    def _take_flow(self, token: Token) -> None:
        if isinstance(token, _FLOW_STARTS):
            self._flow.append(token)
        elif isinstance(token, _FLOW_ENDS):
            first, last = self._flow.pop().start_mark, token.end_mark.line
            if not self._flow and last > first.line:
                self.seen.texts.append(Text(first.line, last, self._entry, "{", first.column))

    def _take_scalar(self, token: ScalarToken) -> None:
        start, end = token.start_mark, token.end_mark
        if self._names_key and not self._flow and self._entry is not None:
            self._entry.key = token.value
        if _is_block_text(token):
            last = _last_line(token, self._entry.block.column if self._entry else -1, self.seen.lines)
            self.seen.texts.append(Text(start.line, last, self._entry, token.style or "", start.column))
            self.seen.ends[start.line] = (
                start.column + 1 + len(indicators(self.seen.lines[start.line], start.column))
            )
            self.seen.inner[last] = self._entry
        elif end.line > start.line and not self._flow:
            self.seen.texts.append(Text(start.line, end.line, self._entry, token.style or "", start.column))

    def _take_gap(self, token: Token) -> None:
        """Note the space before *token*, if it is one of those that the layout decides."""
        previous, start = self._previous, token.start_mark
        if previous is None or previous.end_mark.line != start.line:
            return
        if isinstance(token, ValueToken):
            ours = isinstance(previous, ScalarToken)
        else:
            ours = isinstance(previous, ValueToken | BlockEntryToken | AnchorToken)
        between = self.seen.lines[start.line][previous.end_mark.column : start.column]
        if ours and between and not between.strip(" \t"):
            space = "" if isinstance(token, ValueToken) else " "
            gap = (previous.end_mark.column, start.column, space)
            self.seen.gaps.setdefault(start.line, []).append(gap)


def _is_block_text(token: Token) -> bool:
    return isinstance(token, ScalarToken) and token.style in ("|", ">")


_INDICATORS = re.compile(r"[-+0-9]*")


def indicators(line: str, column: int) -> str:
    """Return what follows the `|` or `>` at *column*."""
    found = _INDICATORS.match(line, column + 1)
    return found.group() if found else ""


def _last_line(token: ScalarToken, parent: int, lines: list[str]) -> int:
    """Return the last line of a block scalar; its own end mark is behind the blank lines after it."""
    start = token.start_mark
    signs = indicators(lines[start.line], start.column)
    content = content_column((lines[n] for n in range(start.line + 1, len(lines))), signs, parent)
    last: int = start.line
    at_end = len(lines) - 1 if not lines[-1] else len(lines)
    for number in range(start.line + 1, at_end):
        line = lines[number]
        if not line.strip(" "):
            last = number if "+" in signs else last
        elif content is None or line[:content].strip(" "):
            break
        else:
            last = number
    return last


def content_column(lines: Iterable[str], signs: str, parent: int) -> int | None:
    """Return where the content of a block scalar begins; None when it has none.

    *lines* are those behind its first, *signs* its indicators, *parent* is its block's column.
    """
    given = signs.strip("+-")
    if given:
        return max(parent, 0) + int(given)
    first = next((line for line in lines if line.strip(" ")), "")
    column = len(first) - len(first.lstrip(" "))
    return column if first and column > parent else None


def comments_in(text: str) -> Iterator[str]:
    """Yield the comments of *text*. Raises NotLaidOut."""
    seen = outline(text)
    inside = {
        number: shape
        for shape in seen.texts
        for number in range(shape.first + 1, shape.last + 1)
        if shape.style != "{"
    }
    for number, line in enumerate(seen.lines):
        shape = inside.get(number)
        if shape is not None and (shape.is_block or number < shape.last):
            continue
        rest = line[seen.ends.get(number, 0) :].strip(" \t")
        if rest.startswith("#"):
            yield rest
