"""What may stand at the top of a task file."""

from __future__ import annotations

from yaml.nodes import MappingNode

from taskcfg.source.findings import Findings, did_you_mean
from taskcfg.source.nodes import Entries, entries_of

TOP_LEVEL = ("tasks", "defaults")
OWN = "x-"
"""How the top-level keys begin that are the user's own."""


def check_top(top: Entries, findings: Findings) -> None:
    """Report the keys at the top of a document that have no place there."""
    for name, (key, value) in top.items():
        if name in TOP_LEVEL or name.startswith(OWN):
            continue
        hint = did_you_mean(name, TOP_LEVEL)
        if isinstance(value, MappingNode) and {"type", "schedule"} & set(entries_of(value, findings)):
            hint = "tasks stand under `tasks:`"
        if name.lower().startswith(OWN):
            hint = f"write `{name.lower()}`: keys of your own begin with a small `x-`"
        findings.add(key, f"{name}: unknown field", hint=hint)
