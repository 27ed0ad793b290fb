"""The `schedule` of a task file, to one of our schedules."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from yaml.nodes import MappingNode, Node, SequenceNode

from taskcfg.problems import Severity
from taskcfg.source.findings import TaskFindings, did_you_mean
from taskcfg.source.nodes import Entries, entries_of, value_of
from taskcfg.source.schedules.advising import warn_of_schedule
from taskcfg.source.schedules.prospects import Prospect, prospect, why_never
from taskcfg.source.schedules.qualifiers import QUALIFIERS, Calendars, read_qualifiers, read_timezone
from taskcfg.source.schedules.rules import READERS, Place, read_rule
from taskcfg.spec.duration import duration_text, parse_duration
from taskcfg.spec.schedule import Manual, Part, Qualified, Schedule, union
from taskcfg.spec.shown import shown
from taskcfg.spec.times.cron import read_cron
from taskcfg.spec.times.cron_terms import InvalidCron
from taskcfg.spec.times.plain_times import SHORTEST_INTERVAL
from taskcfg.spec.times.zones import zone_named

KINDS = tuple(READERS)
KEYS = (*KINDS, "anchor", *QUALIFIERS)
"""All that may stand in the mapping of a schedule."""

_EXAMPLES = 'such as `{cron: "0 3 * * *"}`, `{every: 15m}` or `manual`'
_ONLY = {"anchor": ("every", "an anchor"), "dst": ("cron", "`dst`")}


@dataclass(frozen=True, slots=True)
class _Element:
    """One schedule that was read, and where what it says stands: a mapping, or one of a list."""

    part: Part
    prospect: Prospect
    place: Place
    node: Node
    entries: Entries


def read_schedule(
    node: Node, zone: ZoneInfo, now: datetime, findings: TaskFindings, calendars: Calendars
) -> Schedule | None:
    """Return the schedule that *node* writes, or None when *findings* got why it is none.

    *zone* is the task's: instants without offset are there. *now* only serves to warn of what is
    over.
    """
    if isinstance(node, SequenceNode):
        elements = [
            _read_element(item, f"schedule[{number}]", zone, now, findings, calendars)
            for number, item in enumerate(node.value)
        ]
        if not elements:
            findings.add("schedule", node, "an empty list names no schedule", f"write one, {_EXAMPLES}")
    elif isinstance(node, MappingNode):
        elements = [_read_element(node, "schedule", zone, now, findings, calendars)]
    else:
        value = value_of(node, findings.findings)
        if value == "manual":
            return Manual()
        findings.add("schedule", node, f"expected a schedule, found {shown(value)}", _meant(value))
        return None
    read = [element for element in elements if element is not None]
    if not read or len(read) < len(elements):
        return None
    _warn(node, read, now, findings)
    return union(element.part for element in read)


def _warn(node: Node, elements: Sequence[_Element], now: datetime, findings: TaskFindings) -> None:
    """Warn of what is over, and of what is likely not meant."""
    coming = [element for element in elements if element.prospect is not Prospect.OVER]
    if not coming:
        _warn_of_end(node, elements, findings)
    for element in coming:
        warn_of_schedule(element.part, element.node, element.entries, now, element.place)


def _warn_of_end(node: Node, elements: Sequence[_Element], findings: TaskFindings) -> None:
    field, place = "schedule", node
    if isinstance(node, MappingNode):
        entries = elements[0].entries
        name = next(name for name in ("at", "end", "only_on", "skip_on", "cron", "every") if name in entries)
        field, place = f"schedule.{name}", entries[name][1]
    findings.add(
        field,
        place,
        "is over: it will not fire any more",
        "remove the task, or give it a new time",
        severity=Severity.WARNING,
    )


def _meant(value: Any) -> str:
    """Return what to write in place of a *value* that stands alone: what is not refused in its turn."""
    if isinstance(value, str) and (len(value.split()) in (5, 6) or value.startswith("@")):
        try:
            return f'write `{{cron: "{read_cron(value).text}"}}`'
        except InvalidCron:
            return f"write a schedule {_EXAMPLES}"
    try:
        interval = parse_duration(value)
    except ValueError:
        return f"write a schedule {_EXAMPLES}"
    if interval < SHORTEST_INTERVAL:
        return f"write a schedule {_EXAMPLES}; the shortest interval is 1s"
    return f"write `{{every: {duration_text(interval)}}}`"


def _read_element(
    node: Node, path: str, zone: ZoneInfo, now: datetime, findings: TaskFindings, calendars: Calendars
) -> _Element | None:
    if not isinstance(node, MappingNode):
        _report_no_mapping(node, path, findings)
        return None
    entries = entries_of(node, findings.findings)
    failed_before, findings.failed = findings.failed, False
    kind = _kind_of(node, entries, path, findings)
    timezone = read_timezone(entries, path, findings)
    place = Place(path, zone_named(timezone) if timezone else zone, findings)
    beside = read_qualifiers(entries, timezone, calendars, place)
    rule = read_rule(kind, entries, place) if kind else None
    failed, findings.failed = findings.failed, findings.failed or failed_before
    if failed or rule is None:
        return None
    part = beside.beside(rule)
    expected = prospect(part, zone.key, now)
    if expected is Prospect.NEVER and isinstance(part, Qualified):
        name, reason = why_never(part, zone.key)
        place.add(name, entries[name][1], reason, "mend the schedule, or remove it")
        return None
    return _Element(part, expected, place, node, entries)


def _report_no_mapping(node: Node, path: str, findings: TaskFindings) -> None:
    value = value_of(node, findings.findings)
    if value == "manual":
        hint = "remove it; a task can always be run by hand"
        findings.add(path, node, "`manual` cannot stand in a list", hint)
        return
    hint = "one list holds them all" if isinstance(value, list) else _meant(value)
    findings.add(path, node, f"expected a schedule, found {shown(value)}", hint)


def _kind_of(node: Node, entries: Entries, path: str, findings: TaskFindings) -> str | None:
    """Report the keys that cannot stand there; return the kind, where what is left is one schedule."""
    kinds = [name for name in entries if name in KINDS]
    for name, (key, _) in entries.items():
        kind, words = _ONLY.get(name, (None, ""))
        if kind is not None and kinds and kind not in kinds:
            findings.add(f"{path}.{name}", key, f"only `{kind}` has {words}, not `{kinds[0]}`", "remove it")
        elif name == "manual":
            findings.add(f"{path}.{name}", key, "`manual` stands alone", "write `schedule: manual`")
        elif name not in KEYS:
            findings.add(f"{path}.{name}", key, "unknown field", did_you_mean(name, KEYS))
    if len(kinds) > 1:
        words = " and ".join(f"`{kind}`" for kind in kinds)
        hint = "keep one of them, or write a list of schedules"
        findings.add(path, entries[kinds[1]][0], f"{words} cannot stand together", hint)
    elif not kinds and "manual" not in entries:
        findings.add(path, node, "has none of `cron`, `every` and `at`", f"write one, {_EXAMPLES}")
    return kinds[0] if len(kinds) == 1 else None
