"""What is wrong with a whole task, though each of its fields can be read, reported where it stands."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime

from yaml.nodes import MappingNode, Node, SequenceNode

from taskcfg.source.findings import TaskFindings
from taskcfg.source.nodes import Entries, entries_of
from taskcfg.spec.duration import duration_text
from taskcfg.spec.task import TaskSpec
from taskcfg.spec.times.closeness import no_closer_than
from taskcfg.spec.times.shortest import shortest_interval
from taskcfg.types.registry import Misfit


def report_misfits(misfits: Iterable[Misfit], entries: Entries, findings: TaskFindings) -> None:
    """Add each of *misfits* to *findings*. *entries* are the task's fields, with what it inherits."""
    for misfit in misfits:
        place = _place(misfit.path, entries, findings)
        findings.add(misfit.field, place, misfit.message, misfit.hint, misfit.severity)


def report_wide_jitter(spec: TaskSpec, now: datetime, entries: Entries, findings: TaskFindings) -> None:
    """Report a jitter that could put a fire behind the next one."""
    if not spec.policy.jitter:
        return
    if spec.policy.jitter < no_closer_than(spec.schedule, spec.timezone, now):
        return
    shortest = shortest_interval(spec.schedule, spec.timezone, now)
    if shortest is None or spec.policy.jitter < shortest:
        return
    jitter, interval = duration_text(spec.policy.jitter), duration_text(shortest)
    findings.add(
        "jitter",
        _place(("jitter",), entries, findings),
        f"`{jitter}` is not shorter than the smallest interval of the schedule, {interval}",
        f"write less than `{interval}`",
    )


def _place(path: tuple[str | int, ...], entries: Entries, findings: TaskFindings) -> Node:
    """Return the value at *path*; where the path ends early, the key it ends at; else the task's name."""
    place: Node = findings.name
    inside: Mapping[str, tuple[Node, Node]] = entries
    for depth, part in enumerate(path, start=1):
        entry = inside.get(str(part))
        if entry is None:
            return place
        place = entry[1] if depth == len(path) else entry[0]
        inside = _inside(entry[1], findings)
    return place


def _inside(node: Node, findings: TaskFindings) -> Mapping[str, tuple[Node, Node]]:
    if isinstance(node, MappingNode):
        return entries_of(node, findings.findings)
    if isinstance(node, SequenceNode):
        return {str(index): (item, item) for index, item in enumerate(node.value)}
    return {}
