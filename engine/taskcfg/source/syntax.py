"""What to say about text that is not YAML: the parser's words in ours, with what to do."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from yaml.error import Mark, MarkedYAMLError, YAMLError

from taskcfg.problems import Position

if TYPE_CHECKING:
    from taskcfg.source.findings import Findings

_UNPRINTABLE = re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")

_ANCHOR = re.compile(r"[&*]([^\s,\[\]{}]+)")

_HINTS = {
    "mapping values are not allowed": "a value that holds `: ` needs quotes; else check the indentation",
    "could not find expected ':'": "expected `key: value`",
    "did not find expected key": "check the indentation, and quotes that close too early",
    "did not find expected '-' indicator": "check the indentation: a list's items begin with `-`",
    "did not find expected <document start>": "check the indentation; another document begins with `---`",
    "found unknown escape character": "write a backslash in double quotes as `\\\\`, or use single quotes",
}
_UNCLOSED = {
    "found unexpected end of stream": "a quote that opens here is not closed",
    "did not find expected ',' or ']'": "a `[` that opens here is not closed, or a comma is missing",
    "did not find expected ',' or '}'": "a `{` that opens here is not closed, or a comma is missing",
}
_SIGNS = ("while scanning an alias", "while scanning an anchor")
"""Where `*` and `&` begin something that is no name."""


def report_syntax_error(error: YAMLError, text: str, findings: Findings) -> None:
    """Add the one problem that ended the reading of *text*."""
    if not isinstance(error, MarkedYAMLError) or error.problem_mark is None:
        _report_unprintable(text, findings)
        return
    problem, place = error.problem or "cannot be read", error.problem_mark
    for words, message in _UNCLOSED.items():
        if problem.startswith(words) and error.context_mark is not None:
            findings.add(_position(error.context_mark, findings), f"not valid YAML: {message}")
            return
    if error.context in _SIGNS and error.context_mark is not None:
        place = error.context_mark
    message, hint = _explained(problem, error.context or "", _rest_of_line(text, place))
    findings.add(_position(place, findings), message, hint=hint)


def _explained(problem: str, context: str, rest: str) -> tuple[str, str | None]:
    """Return message and hint; *rest* is the line from where the parser stopped."""
    sign = rest[:1]
    unfit = problem.startswith("found character that cannot start any token")
    if (unfit and sign == "\t") or problem.startswith("found a tab character"):
        return "a tab cannot indent YAML", "use spaces"
    if unfit:
        return f"a value cannot begin with `{sign}`", "put it in quotes"
    if context in _SIGNS:
        hint = None if "#" in rest or '"' in rest else f'write `"{rest.strip().rstrip("}]")}"`'
        return f"a value that begins with `{sign}` needs quotes", hint
    name = _ANCHOR.match(rest)
    if problem == "found undefined alias" and name:
        return f"no anchor is named `{name.group(1)}`", "a value that begins with `*` needs quotes"
    if problem == "second occurrence" and name:
        return f"the anchor `{name.group(1)}` is given twice", "give each its own name"
    hint = next((hint for words, hint in _HINTS.items() if problem.startswith(words)), None)
    return f"not valid YAML: {problem}", hint


def _report_unprintable(text: str, findings: Findings) -> None:
    found = _UNPRINTABLE.search(text)
    if found is None:
        findings.add(Position(findings.file, 1, 1), "not valid YAML")
        return
    before = text[: found.start()]
    place = Position(findings.file, before.count("\n") + 1, len(before) - before.rfind("\n"))
    findings.add(
        place,
        f"the control character U+{ord(found.group()):04X} cannot stand in YAML",
        hint='remove it, or write it in double quotes as an escape such as `"\\x07"`',
    )


def _position(mark: Mark, findings: Findings) -> Position:
    return Position(findings.file, mark.line + 1, mark.column + 1)


def _rest_of_line(text: str, mark: Mark) -> str:
    lines = text.split("\n")
    return lines[mark.line][mark.column :] if mark.line < len(lines) else ""
