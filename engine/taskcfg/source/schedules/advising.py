"""What is likely not meant, as warnings where it stands in the file."""

from __future__ import annotations

from datetime import datetime

from yaml.nodes import Node

from taskcfg.problems import Problem, Severity
from taskcfg.source.findings import TaskFindings
from taskcfg.source.nodes import Entries, is_null
from taskcfg.source.schedules.rules import Place
from taskcfg.spec.advice import advice_on
from taskcfg.spec.schedule import Part
from taskcfg.spec.task import TaskSpec
from taskcfg.spec.task_advice import PileUp, advice_on_timeout


def warn_of_schedule(part: Part, node: Node, entries: Entries, now: datetime, place: Place) -> None:
    """Warn of what *part*, which *entries* in *node* say, likely does not mean.

    That `dst` has no effect is no news where a default says it, for other tasks.
    """
    dst_written = "dst" in entries and not is_null(entries["dst"][1])
    for advice in advice_on(part, place.zone.key, now, dst_written=dst_written):
        key, value = entries[advice.field]
        if advice.field != "dst" or _is_within(key, node):
            place.findings.add(
                f"{place.path}.{advice.field}", value, advice.message, advice.hint, Severity.WARNING
            )


def warn_of_timeout(spec: TaskSpec, now: datetime, entries: Entries, findings: TaskFindings) -> None:
    """Warn of a timeout beyond the next fire: where it stands, or at the schedule if the type has it."""
    advice = advice_on_timeout(spec, now)
    if advice is not None:
        place = entries.get("timeout", entries["schedule"])[1]
        findings.add(advice.field, place, advice.message, advice.hint, Severity.WARNING)


def warning_of_pile_up(found: PileUp) -> Problem | None:
    """Return the one warning for all tasks that start at minute 0, where the first of them stands."""
    if found.first.position is None:
        return None
    advice = found.advice
    return Problem(
        found.first.position,
        f"{advice.field}: {advice.message}",
        advice.hint,
        found.first.name,
        advice.field,
        severity=Severity.WARNING,
    )


def _is_within(inner: Node, outer: Node) -> bool:
    first, last = outer.start_mark, outer.end_mark
    begins, at, ends = ((mark.line, mark.column) for mark in (first, inner.start_mark, last))
    return bool(inner.start_mark.name == first.name and begins <= at < ends)
