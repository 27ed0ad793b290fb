"""YAML to nodes with positions: parsed in C, within limits, never a traceback whatever the bytes are."""

from __future__ import annotations

from collections.abc import Iterator
from io import StringIO
from typing import TYPE_CHECKING, Any

from yaml._yaml import CParser
from yaml.error import YAMLError
from yaml.nodes import MappingNode, Node, ScalarNode

from taskcfg.problems import Position
from taskcfg.source.syntax import report_syntax_error

if TYPE_CHECKING:
    from taskcfg.source.findings import Findings

LARGEST = 8 * 1024 * 1024
"""Bytes in one file. Ten thousand tasks fit; a log or a dump named `.yaml` is refused."""

MOST_NODES = 500_000
"""Keys and values in one file: each takes some 400 bytes of memory."""

DEEPEST = 50
"""Levels of nesting, also through aliases."""

MOST_EXPANDED = 20_000
"""Nodes that aliases may add to a file when each is replaced by what it stands for."""

MOST_DOCUMENTS = 1000


def read_yaml(content: bytes, findings: Findings) -> list[Node]:
    """Return the root nodes of the documents in *content*; none when it cannot be read.

    Every problem goes to *findings*; documents before the place of a syntax error are returned.
    References are resolved by those of *findings*. The `tag` of a scalar tells how it was
    written (see `taskcfg.source.nodes`), the name in its mark which file it is from.
    """
    text = decoded(content, findings)
    if text is None:
        return []
    roots: list[Node] = []
    try:
        for root in _composed(text, findings):
            roots.append(root)
    except YAMLError as error:
        report_syntax_error(error, text, findings)
    except _TooMuch as excess:
        findings.add(excess.node, str(excess), hint=excess.hint)
        return []
    if any(sign in text for sign in ("&", "!", "\\")):
        roots = _inspected(roots, findings)
    if "$" in text or "\\" in text:
        for root in roots:
            findings.references.resolve(root, findings)
    return roots


def decoded(content: bytes, findings: Findings) -> str | None:
    """Return the text of a file; None, with the reason in *findings*, when it is none."""
    start = Position(findings.file, 1, 1)
    if len(content) > LARGEST:
        findings.add(
            Position(findings.file),
            f"the file is larger than {LARGEST // 1024**2} MB",
            hint=_SPLIT,
        )
    elif content.startswith((b"\xff\xfe", b"\xfe\xff")):
        findings.add(start, "the file is in UTF-16", hint="save it as UTF-8")
    else:
        try:
            return content.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            before = content[: error.start]
            line = before.count(b"\n") + 1
            column = len(before[before.rfind(b"\n") + 1 :].decode("utf-8", "replace")) + 1
            place = Position(findings.file, line, column)
            findings.add(place, "the file is not in UTF-8", hint="save it as UTF-8")
    return None


class _TooMuch(Exception):
    """The document is deeper or larger than we read; *node* is where that shows."""

    def __init__(self, node: Node, message: str, hint: str | None = None) -> None:
        super().__init__(message)
        self.node = node
        self.hint = hint


class _Composer(CParser):
    """Composes nodes whose tag is how they were written: no YAML 1.1 type is looked up."""

    def __init__(self, stream: _Named) -> None:
        super().__init__(stream)
        self._depth = 0
        self._nodes = 0

    def resolve(self, kind: type[Node], value: str | None, implicit: Any) -> Any:
        return implicit

    def descend_resolver(self, parent: Node | None, index: Any) -> None:
        # The C composer calls itself for every level: unbounded, it overflows the process's stack.
        self._depth += 1
        self._nodes += 1
        if self._depth > DEEPEST and parent is not None:
            raise _TooMuch(parent, _DEEP)
        if self._nodes > MOST_NODES and parent is not None:
            raise _TooMuch(parent, f"more than {MOST_NODES:,} keys and values in one file", _SPLIT)

    def ascend_resolver(self) -> None:
        self._depth -= 1


class _Named(StringIO):
    """Text that knows its file: the parser writes the name into every mark."""

    def __init__(self, text: str, name: str) -> None:
        super().__init__(text)
        self.name = name


def _composed(text: str, findings: Findings) -> Iterator[Node]:
    """Yield the root of each document. Raises YAMLError and _TooMuch."""
    composer = _Composer(_Named(text, findings.file))
    number = 0
    while composer.check_node():
        root = composer.get_node()
        if root is None:
            return
        number += 1
        if number > MOST_DOCUMENTS:
            raise _TooMuch(root, f"more than {MOST_DOCUMENTS:,} documents in one file", _SPLIT)
        yield root


_SPLIT = "split it into several"
_DEEP = f"nested deeper than {DEEPEST} levels"


class _Unusable(Exception):
    """The document cannot be walked safely."""


def _inspected(roots: list[Node], findings: Findings) -> list[Node]:
    """Return *roots* if they can be used, having looked at every node for what is not allowed anywhere."""
    inspection = _Inspection(findings)
    try:
        size = sum(inspection.measure(root)[0] for root in roots)
    except _Unusable:
        return []
    if size - inspection.nodes > MOST_EXPANDED:
        message = f"the aliases in this file expand to more than {MOST_EXPANDED:,} values"
        findings.add(roots[0], message)
        return []
    return roots


class _Inspection:
    def __init__(self, findings: Findings) -> None:
        self._findings = findings
        self._measures: dict[int, tuple[int, int] | None] = {}

    @property
    def nodes(self) -> int:
        return len(self._measures)

    def measure(self, node: Node) -> tuple[int, int]:
        """Return how many nodes *node* is with every alias replaced, and how many levels deep."""
        if id(node) in self._measures:
            known = self._measures[id(node)]
            if known is None:
                self._findings.add(node, "an alias stands inside what it stands for")
                raise _Unusable
            return known
        self._measures[id(node)] = None
        size, depth = 1, 1
        if isinstance(node.tag, str):
            tag = node.tag.replace("tag:yaml.org,2002:", "!!")
            self._findings.add(node, f"the tag `{tag}` is not allowed", hint="remove it")
        if isinstance(node, ScalarNode):
            self._check_text(node)
        else:
            children = _children(node)
            for child in children:
                child_size, child_depth = self.measure(child)
                size, depth = size + child_size, max(depth, child_depth + 1)
        if depth > DEEPEST:
            self._findings.add(node, _DEEP)
            raise _Unusable
        self._measures[id(node)] = (size, depth)
        return size, depth

    def _check_text(self, node: ScalarNode) -> None:
        value: str = node.value
        if "\0" in value:
            self._findings.add(node, "a NUL character cannot be stored")
            node.value = value.replace("\0", "\N{REPLACEMENT CHARACTER}")  # said once is enough


def _children(node: Node) -> list[Node]:
    if isinstance(node, MappingNode):
        return [child for pair in node.value for child in pair]
    return list(node.value)
