"""Which layer and which place in the files say what a field of a task is."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from yaml.nodes import MappingNode, Node, ScalarNode

from taskcfg.problems import Position
from taskcfg.source.findings import Findings
from taskcfg.source.layers import Layer, Origin
from taskcfg.source.nodes import entries_of
from taskcfg.source.references import Resolved


@dataclass(frozen=True, slots=True)
class Said:
    """Where a value stands; `reference` is what is written there, where that refers to something."""

    origin: Origin
    position: Position
    reference: str | None = None


def who_says(layer: Layer) -> Mapping[str, Said]:
    """Return by dotted path who says each field that *layer* has, its own or an inherited one.

    A list, and whatever is no mapping, is one value. What is cleared was said by who cleared it.
    """
    findings = Findings("")
    said: dict[str, Said] = {}
    for path, node in _leaves("", layer.entries, findings):
        origin = _origin(path, node, layer, findings)
        reference = node.tag.written if isinstance(node.tag, Resolved) else None
        said[path] = Said(origin, findings.position(node), reference)
    return said


def _leaves(
    prefix: str, entries: Mapping[str, tuple[ScalarNode, Node]], findings: Findings
) -> Iterator[tuple[str, Node]]:
    for name, (_, node) in entries.items():
        if isinstance(node, MappingNode) and node.value:
            yield from _leaves(f"{prefix}{name}.", entries_of(node, findings), findings)
        else:
            yield f"{prefix}{name}", node


def _origin(path: str, node: Node, layer: Layer, findings: Findings) -> Origin:
    """Return the origin of the nearest layer that holds *node* itself at *path*."""
    at: Layer | None = layer
    while at is not None:
        if any(leaf == path and found is node for leaf, found in _leaves("", at.own, findings)):
            return at.origin
        at = at.below
    return layer.origin
