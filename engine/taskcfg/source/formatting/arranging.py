"""The order of a task's fields, and the blank lines between tasks."""

from __future__ import annotations

from itertools import pairwise

from taskcfg.source.formatting.indenting import Kind, Line
from taskcfg.source.formatting.outline import Block, Entry, Outline
from taskcfg.source.nodes import MERGE

ORDER = (
    MERGE,
    "type",
    "schedule",
    "params",
    "description",
    "labels",
    "owner",
    "runbook",
    "enabled",
    "timezone",
    "queue",
    "priority",
    "timeout",
    "retry",
    "overlap",
    "catch_up",
    "catch_up_window",
    "expires",
    "delivery",
    "jitter",
    "protect",
    "renamed_from",
    "expect_success_within",
)
"""The fields of a task in the order of the layout; others come last, in their own order."""

_PLACES = {name: place for place, name in enumerate(ORDER)}

MODELINE = "# yaml-language-server:"


def place_of(field: str | None) -> int:
    """Return the place of a task's field in the layout; others have the last."""
    return _PLACES.get(field or "", len(ORDER))


def arranged(seen: Outline, lines: list[Line]) -> str:
    """Return the text of *lines*: fields in order, blank lines where they belong."""
    arrangement = _Arrangement(seen, lines)
    for root in seen.roots:
        arrangement.arrange(root)
    return _text(arrangement.lines)


class _Arrangement:
    def __init__(self, seen: Outline, lines: list[Line]) -> None:
        self.lines = list(lines)
        self._seen = seen
        self._old = lines

    def arrange(self, root: Block) -> None:
        """Arrange one document: a task file's, or the bare fields of a file of defaults."""
        end = min((n for n in self._seen.markers if n > root.entries[0].line), default=len(self._old))
        keys = {entry.key for entry in root.entries}
        if not root.is_mapping:
            return
        if not {"tasks", "defaults"} & keys:
            self._order(root, end)
            return
        self._space(root)
        for entry, limit in self._limits(root, end):
            if entry.nested is None or not entry.nested.is_mapping:
                continue
            if entry.key == "defaults":
                self._order(entry.nested, limit)
            elif entry.key == "tasks":
                self._arrange_tasks(entry.nested, limit)

    def _arrange_tasks(self, tasks: Block, end: int) -> None:
        self._space(tasks)
        for task, limit in self._limits(tasks, end):
            if task.nested is not None and task.nested.is_mapping:
                self._order(task.nested, limit)

    def _limits(self, block: Block, end: int) -> list[tuple[Entry, int]]:
        """Return each entry with the line where it ends, the last one at *end*."""
        starts = [self._start(entry) for entry in block.entries]
        return list(zip(block.entries, [*starts[1:], end], strict=True))

    def _start(self, entry: Entry) -> int:
        """Return the line where *entry* begins with the comments about it, and blank lines above."""
        start = entry.line
        while start and (self._old[start - 1].leads or self._old[start - 1].kind is Kind.BLANK):
            start -= 1
        return start

    def _space(self, block: Block) -> None:
        for entry in block.entries[1:]:
            start = self._start(entry)
            while self._old[start].kind is Kind.BLANK:
                start += 1
            self._old[start].is_spaced = True

    def _order(self, block: Block, end: int) -> None:
        """Put the fields of a task in order, in the lines up to *end*."""
        limits = self._limits(block, end)
        if not self._may_move(block, limits):
            return
        first = self._start(block.entries[0])
        if block.parent is None:
            first = self._behind_header(first, block.entries[0].line)
        end = self._tail(block, end)
        starts = [first, *(limit for _, limit in limits[:-1]), end]
        spans = list(zip(block.entries, pairwise(starts), strict=True))
        spans.sort(key=lambda span: place_of(span[0].key))
        self.lines[first:end] = [line for _, (start, stop) in spans for line in self._old[start:stop]]

    def _may_move(self, block: Block, limits: list[tuple[Entry, int]]) -> bool:
        """Whether each field has lines and a name of its own, and no alias would go before its anchor."""
        keys = {entry.key for entry in block.entries}
        lines = {entry.line for entry in block.entries}
        if block.parent is not None and block.parent.line in lines:
            return False
        if None in keys or len(keys) < len(block.entries) or len(lines) < len(block.entries):
            return False
        anchors: dict[str, int] = {}
        for index, (entry, limit) in enumerate(limits):
            for number in range(entry.line, limit):
                anchors |= dict.fromkeys(self._seen.anchors.get(number, ()), index)
                if any(anchors.get(name, index) != index for name in self._seen.aliases.get(number, ())):
                    return False
        return True

    def _behind_header(self, start: int, end: int) -> int:
        """Return where the comments about the first field begin: those above a blank line head the file."""
        for number in range(end - 1, start - 1, -1):
            if self._old[number].kind is Kind.BLANK or self._old[number].text.startswith(MODELINE):
                return number + 1
        return start

    def _tail(self, block: Block, end: int) -> int:
        """Return where the comments begin that end *block*, not its last field."""
        last = end
        while self._old[last - 1].kind in (Kind.COMMENT, Kind.BLANK):
            last -= 1
        for number in range(last, end):
            line = self._old[number]
            if line.kind is Kind.COMMENT and line.indent <= block.indent:
                return number
        return last


def _text(lines: list[Line]) -> str:
    """Return *lines* with one blank line where one is due or was, and none at the top of a block."""
    out: list[Line] = []
    was_blank = False
    for line in lines:
        if line.kind is Kind.BLANK:
            was_blank = True
            continue
        if out and not out[-1].is_open and (line.is_spaced or (was_blank and not _opens(out[-1], line))):
            out.append(Line(Kind.BLANK, "", 0))
        out.append(line)
        was_blank = False
    return "".join(f"{' ' * line.indent}{line.text}\n" for line in out)


def _opens(above: Line, below: Line) -> bool:
    """Whether *below* is the first line in the block or document that *above* opens."""
    if above.kind is not Kind.CONTENT:
        return False
    return below.indent > above.indent or (above.indent == 0 and above.text.startswith("---"))
