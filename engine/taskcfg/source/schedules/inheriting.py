"""What a task's schedule takes from the schedules of the defaults."""

from __future__ import annotations

from collections.abc import Iterable

from yaml.nodes import MappingNode, Node, SequenceNode

from taskcfg.source.findings import Findings
from taskcfg.source.nodes import entries_of, is_null, laid_over
from taskcfg.source.schedules.rules import READERS

_OF_ONE_KIND = {"dst": "cron", "anchor": "every"}
"""What stands beside rules of one kind only."""


def inherited(bases: Iterable[Node], own: Node, findings: Findings) -> Node:
    """Return the schedule *own* over *bases*, those of the defaults, the nearest first.

    One of the same kind is merged, one of another kind, and every list, replaced. A default that
    names no kind, such as `{timezone: Europe/Berlin}`, goes beside every one, and beside each in a list.
    """
    replaced = False
    for base in bases:
        if is_null(base) or is_null(own):
            break
        kinds = _kinds(base, findings)
        if kinds is not None and not kinds:
            own = _beside(base, own, findings)
        elif not replaced and kinds is not None and _kinds(own, findings) in (kinds, set()):
            own = laid_over(base, own, findings)
        else:
            replaced = True
    return own


def _kinds(node: Node, findings: Findings) -> set[str] | None:
    """Return which kinds a mapping names; None for what is no mapping."""
    if not isinstance(node, MappingNode):
        return None
    return READERS.keys() & entries_of(node, findings).keys()


def _beside(base: Node, own: Node, findings: Findings) -> Node:
    if isinstance(own, SequenceNode):
        items = [_beside(base, item, findings) for item in own.value]
        return SequenceNode(own.tag, items, own.start_mark, own.end_mark)
    kinds = _kinds(own, findings)
    if kinds is None:
        return own
    fitting = [
        (key, value)
        for name, (key, value) in entries_of(base, findings).items()
        if not kinds or _OF_ONE_KIND.get(name) in (None, *kinds)
    ]
    return laid_over(MappingNode(base.tag, fitting, base.start_mark, base.end_mark), own, findings)
