"""The `schedule` of a task file, to one of our schedules."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo

from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from taskcfg.problems import Severity
from taskcfg.source.findings import TaskFindings, did_you_mean
from taskcfg.source.nodes import Entries, entries_of, laid_over, value_of
from taskcfg.spec.duration import duration_text, parse_duration
from taskcfg.spec.fields import InvalidValue, positive_duration
from taskcfg.spec.schedule import EPOCH, At, Cron, Every, Manual, Schedule
from taskcfg.spec.shown import LATER, shown
from taskcfg.spec.times.cron import read_cron
from taskcfg.spec.times.cron_terms import InvalidCron
from taskcfg.spec.times.plain_times import SHORTEST_INTERVAL

KINDS = ("cron", "every", "at")
_LATER = ("start", "end", "timezone", "dst", "skip_on", "only_on")
INSTANT = re.compile(
    r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d(?::\d\d(?:\.\d{1,6})?)?(?:[Zz]|[+-]\d\d:?\d\d)?", re.ASCII
)
_EXAMPLES = 'such as `{cron: "0 3 * * *"}`, `{every: 15m}` or `manual`'


def read_schedule(node: Node, zone: ZoneInfo, now: datetime, findings: TaskFindings) -> Schedule | None:
    """Return the schedule that *node* writes, or None when *findings* got why it is none.

    An instant without offset is in *zone*. *now* only serves to warn of what is over.
    """
    if isinstance(node, MappingNode):
        return _read_mapping(node, zone, now, findings)
    if isinstance(node, SequenceNode):
        findings.add(
            "schedule", node, f"a list of schedules is {LATER}", "write one schedule, or several tasks"
        )
        return None
    value = value_of(node, findings.findings)
    if value == "manual":
        return Manual()
    findings.add("schedule", node, f"expected a schedule, found {shown(value)}", _meant(value))
    return None


def inherited(base: Node, own: Node, findings: TaskFindings) -> Node:
    """Return the schedule *own* over *base*, the default: merged, unless they are of different kinds."""
    if isinstance(base, MappingNode) and isinstance(own, MappingNode):
        kinds = [
            {kind for kind in KINDS if kind in entries_of(node, findings.findings)} for node in (base, own)
        ]
        if not kinds[1] or kinds[0] == kinds[1]:
            return laid_over(base, own, findings.findings)
    return own


def _meant(value: Any) -> str:
    """Return what to write in place of a *value* that stands alone: what is not refused in its turn."""
    if isinstance(value, str) and (len(value.split()) == 5 or value.startswith("@")):
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


def _read_mapping(
    node: MappingNode, zone: ZoneInfo, now: datetime, findings: TaskFindings
) -> Schedule | None:
    entries = entries_of(node, findings.findings)
    usable = _check_keys(node, entries, findings)
    kind = next((kind for kind in KINDS if kind in entries), None)
    if not usable or kind is None:
        return None
    value = entries[kind][1]
    match kind:
        case "cron":
            return _read_cron(value, findings)
        case "every":
            return _read_every(value, entries, zone, findings)
        case _:
            return _read_at(value, zone, now, findings)


def _check_keys(node: Node, entries: Entries, findings: TaskFindings) -> bool:
    """Report the keys that cannot stand there; say whether what is left is one schedule."""
    kinds = [name for name in entries if name in KINDS]
    for name, (key, _) in entries.items():
        field = f"schedule.{name}"
        if name in _LATER:
            findings.add(field, key, LATER, "remove it; it comes with a later version")
        elif name == "anchor" and kinds and "every" not in kinds:
            findings.add(field, key, f"only `every` has an anchor, not `{kinds[0]}`", "remove it")
        elif name == "manual":
            findings.add(field, key, "`manual` stands alone", "write `schedule: manual`")
        elif name not in (*KINDS, "anchor"):
            findings.add(field, key, "unknown field", did_you_mean(name, (*KINDS, "anchor")))
    if len(kinds) > 1:
        words = " and ".join(f"`{kind}`" for kind in kinds)
        findings.add("schedule", entries[kinds[1]][0], f"{words} cannot stand together", "keep one of them")
    elif not kinds and not any(name == "manual" for name in entries):
        findings.add("schedule", node, "has none of `cron`, `every` and `at`", f"write one, {_EXAMPLES}")
    return len(kinds) == 1


def _read_cron(node: Node, findings: TaskFindings) -> Cron | None:
    if isinstance(node, MappingNode):
        findings.add(
            "schedule.cron", node, f"the form with named fields is {LATER}", 'write five fields: "0 3 * * *"'
        )
        return None
    value = value_of(node, findings.findings)
    if not isinstance(value, str):
        hint = 'write them in quotes, such as "0 3 * * *"'
        findings.add("schedule.cron", node, f"expected five fields of text, found {shown(value)}", hint)
        return None
    try:
        return Cron(read_cron(value).text)
    except InvalidCron as error:
        findings.add("schedule.cron", node, str(error), error.hint)
        return None


def _read_every(node: Node, entries: Entries, zone: ZoneInfo, findings: TaskFindings) -> Every | None:
    anchor: datetime | None = EPOCH
    if "anchor" in entries:
        anchor = _read_instant(entries["anchor"][1], zone, "schedule.anchor", findings)
    interval = _read_interval(node, findings)
    return Every(interval, anchor) if interval and anchor else None


def _read_interval(node: Node, findings: TaskFindings) -> timedelta | None:
    value = value_of(node, findings.findings)
    try:
        interval = positive_duration(value)
    except InvalidValue as error:
        findings.add("schedule.every", node, str(error), error.hint)
        return None
    if interval < SHORTEST_INTERVAL:
        findings.add("schedule.every", node, f"{shown(value)} is shorter than 1s, the shortest interval")
        return None
    return interval


def _read_at(node: Node, zone: ZoneInfo, now: datetime, findings: TaskFindings) -> At | None:
    items = node.value if isinstance(node, SequenceNode) else [node]
    if not items:
        findings.add("schedule.at", node, "names no instant", "write one, or `schedule: manual`")
        return None
    instants = [_read_instant(item, zone, "schedule.at", findings) for item in items]
    found = sorted({instant for instant in instants if instant is not None})
    if None in instants:
        return None
    if found[-1] < now:
        findings.add(
            "schedule.at",
            node,
            "is over: it will not fire any more",
            "remove the task, or give it a new time",
            severity=Severity.WARNING,
        )
    return At(tuple(found))


def _read_instant(node: Node, zone: ZoneInfo, field: str, findings: TaskFindings) -> datetime | None:
    value = node.value if isinstance(node, ScalarNode) else value_of(node, findings.findings)
    try:
        if not isinstance(value, str) or not INSTANT.fullmatch(value):
            raise ValueError("not of the form")
        return _in_utc(datetime.fromisoformat(value.upper()), zone)
    except (ValueError, OverflowError):
        findings.add(
            field,
            node,
            f"expected an instant, found {shown(value)}",
            "write it as `2026-12-24T18:00:00+01:00`; without an offset it is in the task's zone",
        )
        return None


def _in_utc(instant: datetime, zone: ZoneInfo) -> datetime:
    """Return *instant* in UTC. A local time that a clock change leaves out is the first one after the gap."""
    if instant.tzinfo is not None:
        return instant.astimezone(UTC)
    return _local_in_utc(instant, zone)


@lru_cache(maxsize=1024)
def _local_in_utc(local: datetime, zone: ZoneInfo) -> datetime:
    while True:
        instant = local.replace(tzinfo=zone).astimezone(UTC)
        if instant.astimezone(zone).replace(tzinfo=None) == local:
            return instant
        local = local.replace(second=0, microsecond=0) + timedelta(minutes=1)
