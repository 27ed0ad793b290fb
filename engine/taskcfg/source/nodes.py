"""Nodes to values: YAML 1.2's core scalars, mappings without duplicate keys, merge keys, and merging."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from taskcfg.source.references import Resolved

if TYPE_CHECKING:
    from taskcfg.source.findings import Findings

PLAIN: Any = (True, False)
"""The `tag` of a scalar without quotes: only such a one can be more than text."""

MERGE = "<<"

Entries = dict[str, tuple[ScalarNode, Node]]
"""The keys of a mapping, as text, each with its own node and its value's."""

_WORDS: dict[str, Any] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL"), None),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}
_INTEGER = re.compile(r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
_NOT_FINITE = re.compile(r"[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)")
_MOST_DIGITS = 300


def value_of(node: Node, findings: Findings) -> Any:
    """Return what *node* stands for: text, number, bool, None, list, or dict with text as keys."""
    if isinstance(node, ScalarNode):
        return _spelled(node.value, node, findings) if node.tag == PLAIN else node.value
    if isinstance(node, SequenceNode):
        return [value_of(item, findings) for item in node.value]
    return {name: value_of(value, findings) for name, (_, value) in entries_of(node, findings).items()}


def field_value(node: Node, findings: Findings, *, as_text: bool) -> Any:
    """Return what *node* stands for in a field of a task's own, outside `params`.

    What references put together is text; where the field does not want text, what that text spells.
    """
    if isinstance(node, ScalarNode) and isinstance(node.tag, Resolved):
        return node.tag.text if as_text else _spelled(node.tag.text, node, findings)
    return value_of(node, findings)


def reads_as_text(text: str) -> bool:
    """Whether *text* without quotes stays text, and is no number, bool or null."""
    if text in _WORDS:
        return False
    return not any(form.fullmatch(text) for form in (_INTEGER, _FLOAT, _NOT_FINITE))


def is_null(node: Node) -> bool:
    """Whether nothing stands there, or references to nothing."""
    if not isinstance(node, ScalarNode):
        return False
    if node.tag == PLAIN:
        return _WORDS.get(node.value, 0) is None
    return isinstance(node.tag, Resolved) and not node.value


def _spelled(text: str, node: ScalarNode, findings: Findings) -> Any:
    if text in _WORDS:
        return _WORDS[text]
    if text[0] not in "0123456789+-.":
        return text
    if len(text) <= _MOST_DIGITS:
        if _INTEGER.fullmatch(text):
            return int(text, 0) if text[:2] in ("0o", "0x") else int(text)
        if _FLOAT.fullmatch(text):
            return _finite(float(text), node, findings)
        if _NOT_FINITE.fullmatch(text):
            return _finite(float("nan"), node, findings)
    return text


def _finite(number: float, node: ScalarNode, findings: Findings) -> float:
    if number - number != 0:
        findings.add(node, f"`{node.value}` is not a number that can be stored")
        return 0.0
    return number


def entries_of(node: Node, findings: Findings, twice: str = "`{}` is given twice") -> Entries:
    """Return the entries of a mapping, those of its merge keys (`<<`) behind its own.

    Reports keys that are not text, and keys given twice in the words of *twice*.
    """
    entries: Entries = {}
    for key, value in node.value:
        if not isinstance(key, ScalarNode):
            findings.add(key, "a key must be text, not a list or a mapping")
        elif key.value in entries:
            first = entries[key.value][0]
            findings.add(first, twice.format(key.value), also=findings.position(key))
        else:
            entries[key.value] = (key, value)
    if MERGE in entries and entries[MERGE][0].tag == PLAIN:
        for mapping in _merged_mappings(entries.pop(MERGE)[1], findings):
            for name, entry in entries_of(mapping, findings).items():
                entries.setdefault(name, entry)
    return entries


def _merged_mappings(node: Node, findings: Findings) -> list[Node]:
    mappings = node.value if isinstance(node, SequenceNode) else [node]
    for mapping in mappings:
        if not isinstance(mapping, MappingNode):
            findings.add(mapping, "`<<` takes a mapping or a list of mappings")
    return [mapping for mapping in mappings if isinstance(mapping, MappingNode)]


def laid_over(base: Node, own: Node, findings: Findings) -> Node:
    """Return *own* over *base*: mappings merge at every level, all else is replaced."""
    if not (isinstance(base, MappingNode) and isinstance(own, MappingNode)):
        return own
    entries = entries_of(base, findings)
    for name, (key, value) in entries_of(own, findings).items():
        below = entries.get(name)
        entries[name] = (key, laid_over(below[1], value, findings) if below else value)
    return MappingNode(own.tag, list(entries.values()), own.start_mark, own.end_mark)
