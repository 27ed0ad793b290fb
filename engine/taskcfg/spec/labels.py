"""Label selectors in Kubernetes' grammar: `team=platform`, `tier!=2`, `team in (a, b)`, `key`, `!key`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

EXAMPLES = "`team=platform`, `tier!=2`, `team in (a, b)`, `team notin (a)`, `team`, `!team`"

_KEY = r"[^\s,=!()]+"
_SET = re.compile(rf"({_KEY})\s+(in|notin)\s*\((.*)\)", re.DOTALL)
_EQUALITY = re.compile(rf"({_KEY})\s*(==|=|!=)\s*([^,()]*)", re.DOTALL)
_PRESENCE = re.compile(rf"(!?)\s*({_KEY})")
_COMMA_OUTSIDE = re.compile(r",(?![^(]*\))")


@dataclass(frozen=True, slots=True)
class LabelRequirement:
    """One condition on a label: that its value is one of `values`, or that it is there at all (None).

    `negated` is the opposite; a task without the label is not one of any values.
    """

    key: str
    values: frozenset[str] | None
    negated: bool = False

    def matches(self, labels: Mapping[str, str]) -> bool:
        there = self.key in labels
        if self.values is not None:
            there = there and labels[self.key] in self.values
        return there != self.negated


def parse_labels(text: str) -> tuple[LabelRequirement, ...]:
    """Return the requirements of a selector, all of which must hold. Raises ValueError."""
    return tuple(_requirement(term.strip(), text) for term in _COMMA_OUTSIDE.split(text))


def _requirement(term: str, text: str) -> LabelRequirement:
    if found := _SET.fullmatch(term):
        key, word, values = found.groups()
        if "(" not in values and ")" not in values:
            listed = frozenset(value.strip() for value in values.split(","))
            return LabelRequirement(key, listed, word == "notin")
    elif found := _EQUALITY.fullmatch(term):
        key, operator, value = found.groups()
        return LabelRequirement(key, frozenset([value.strip()]), operator == "!=")
    elif found := _PRESENCE.fullmatch(term):
        return LabelRequirement(found[2], None, bool(found[1]))
    raise ValueError(f"`{text}` is not a label selector such as {EXAMPLES}")
