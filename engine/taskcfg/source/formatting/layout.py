"""The canonical layout of a task file: text to text, with every value and every comment kept.

Only whole lines move, and only the space around them changes: quotes, flow mappings, long texts and
comments stay as their author wrote them, and a comment stays with what it is written above. A YAML
library's round trip gives comments to the line before, and drops those inside flow mappings.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

from yaml.nodes import Node

from taskcfg.errors import InvalidTaskFiles
from taskcfg.problems import Position, Problem
from taskcfg.source.findings import Findings
from taskcfg.source.formatting.arranging import arranged
from taskcfg.source.formatting.indenting import indented
from taskcfg.source.formatting.outline import NotLaidOut, comments_in, outline
from taskcfg.source.nodes import value_of
from taskcfg.source.references import References
from taskcfg.source.yaml_reader import read_yaml

ROUNDS = 3
"""What moves a comment can uncover one more thing to move; then nothing is left to do."""


def formatted(text: str, file: str = "<stdin>") -> str:
    """Return *text*, one task file or file of defaults, in the canonical layout.

    The answer reads as exactly the same values, holds the same comments, and is its own canonical
    layout. *file* is its name in problems. Raises InvalidTaskFiles for what is not YAML as task files
    have it, and for what cannot be laid out safely; other problems in it do not matter.
    """
    values = _values(text, file)
    try:
        before = text.replace("\r\n", "\n").replace("\r", "\n")
        result = _laid_out(before)
        for _ in range(ROUNDS):
            again = _laid_out(result)
            if again == result:
                break
            result = again
        else:
            raise NotLaidOut("its layout does not settle", 0)
        _check_kept(values, before, result, file)
    except NotLaidOut as reason:
        place = Position(file, reason.line + 1, 1)
        hint = "the file is left as it is: lay it out by hand"
        raise InvalidTaskFiles([Problem(place, f"cannot be formatted: {reason}", hint)], files=1) from None
    return result


def _laid_out(text: str) -> str:
    seen = outline(text)
    return arranged(seen, indented(seen))


def _check_kept(values: list[Any], before: str, result: str, file: str) -> None:
    try:
        same = _values(result, file) == values
        kept = same and Counter(comments_in(result)) == Counter(comments_in(before))
    except (InvalidTaskFiles, NotLaidOut):
        same = kept = False
    if not same:
        raise NotLaidOut("it would no longer say the same", 0)
    if not kept:
        raise NotLaidOut("a comment would be lost", 0)


class _Unresolved(References):
    """Leaves every reference as it is written."""

    def resolve(self, root: Node, findings: Findings) -> None:
        pass


def _values(text: str, file: str) -> list[Any]:
    """Return what the documents of *text* say, and what is odd in them. Raises InvalidTaskFiles."""
    findings = Findings(file, _Unresolved({}))
    roots = read_yaml(text.encode("utf-8", "surrogatepass"), findings)
    if findings.problems:
        raise InvalidTaskFiles(findings.problems, files=1)
    values = [_exact(value_of(root, findings)) for root in roots]
    return [*values, sorted(problem.message for problem in findings.problems)]


def _exact(value: Any) -> Any:
    """Return *value* such that 1, 1.0 and true differ."""
    if isinstance(value, dict):
        return {key: _exact(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_exact(item) for item in value]
    return type(value), value
