"""What stands beside the rule of a schedule: its bounds, its zone, its clock changes, its calendars."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from yaml.nodes import MappingNode, Node, SequenceNode

from taskcfg.source.findings import TaskFindings, did_you_mean
from taskcfg.source.nodes import Entries, entries_of, field_value, is_null, value_of
from taskcfg.source.schedules.rules import Place
from taskcfg.source.zones import zone_hint
from taskcfg.spec.calendar import Calendar
from taskcfg.spec.fields import InvalidValue, choice, zone
from taskcfg.spec.schedule import Dst, Gap, Part, Repeat, Rule, qualified
from taskcfg.spec.shown import shown

QUALIFIERS = ("start", "end", "timezone", "dst", "skip_on", "only_on")

Calendars = Mapping[str, Calendar | None]
"""The calendars there are, by name; None is one whose file has problems, which are reported there."""

_DST = {"gap": Gap, "overlap": Repeat}


@dataclass(frozen=True, slots=True)
class Qualifiers:
    """What was read beside a rule; what is wrong went to the findings."""

    start: datetime | None
    end: datetime | None
    timezone: str | None
    dst: Dst
    skip_on: tuple[Calendar, ...]
    only_on: tuple[Calendar, ...]

    def beside(self, rule: Rule) -> Part:
        return qualified(
            rule,
            start=self.start,
            end=self.end,
            timezone=self.timezone,
            dst=self.dst,
            skip_on=self.skip_on,
            only_on=self.only_on,
        )


def read_timezone(entries: Entries, path: str, findings: TaskFindings) -> str | None:
    """Return the zone that a schedule names for itself, None when it names none."""
    if not _is_given("timezone", entries):
        return None
    node = entries["timezone"][1]
    value = field_value(node, findings.findings, as_text=True)
    try:
        return zone(value)
    except InvalidValue as error:
        findings.add(f"{path}.timezone", node, str(error), zone_hint(value) or error.hint)
        return None


def read_qualifiers(entries: Entries, timezone: str | None, calendars: Calendars, place: Place) -> Qualifiers:
    """Return what stands beside the rule. Null clears what was inherited."""
    start, end = (
        place.instant(name, entries[name][1]) if _is_given(name, entries) else None
        for name in ("start", "end")
    )
    if start is not None and end is not None and start >= end:
        first = start.astimezone(place.zone).isoformat()
        place.add(
            "end",
            entries["end"][1],
            f"is not after `start`, {first}",
            "it is the first instant that is left out",
        )
    skip_on, only_on = (_read_calendars(name, entries, calendars, place) for name in ("skip_on", "only_on"))
    dst = _read_dst(entries["dst"][1], place) if _is_given("dst", entries) else Dst()
    return Qualifiers(start, end, timezone, dst, skip_on, only_on)


def _is_given(name: str, entries: Entries) -> bool:
    return name in entries and not is_null(entries[name][1])


def _read_dst(node: Node, place: Place) -> Dst:
    if not isinstance(node, MappingNode):
        found = shown(place.value(node))
        hint = "write `dst: {gap: skip}`, `dst: {overlap: both}` or both"
        place.add("dst", node, f"expected a mapping, found {found}", hint)
        return Dst()
    chosen = {}
    for name, (key, value) in entries_of(node, place.findings.findings).items():
        if name not in _DST:
            place.add(f"dst.{name}", key, "unknown field", did_you_mean(name, _DST))
        elif not is_null(value):
            try:
                chosen[name] = choice(place.value(value), tuple(_DST[name]))
            except InvalidValue as error:
                place.add(f"dst.{name}", value, str(error), error.hint)
    return Dst(Gap(chosen.get("gap", Dst().gap)), Repeat(chosen.get("overlap", Dst().overlap)))


def _read_calendars(name: str, entries: Entries, calendars: Calendars, place: Place) -> tuple[Calendar, ...]:
    if not _is_given(name, entries):
        return ()
    node = entries[name][1]
    if not isinstance(node, SequenceNode):
        found = _read_calendar(name, node, calendars, place)
        return () if found is None else (found,)
    read = [
        _read_calendar(f"{name}[{number}]", item, calendars, place) for number, item in enumerate(node.value)
    ]
    return tuple(each for each in read if each is not None)


def _read_calendar(path: str, node: Node, calendars: Calendars, place: Place) -> Calendar | None:
    findings = place.findings
    named = field_value(node, findings.findings, as_text=True)
    if not isinstance(named, str):
        found = shown(value_of(node, findings.findings))
        place.add(path, node, f"expected a calendar's name, found {found}", "write `skip_on: [holidays]`")
    elif named not in calendars:
        near = did_you_mean(named, calendars)
        file = f"{shown(f'calendars/{named}.yaml')} would be its file"
        hint = f"{near} {file}" if near and near.endswith("?") else f"{near}; {file}" if near else file
        place.add(path, node, f"no calendar is named {shown(named)}", hint)
    elif calendars[named] is None:
        findings.failed = True
    return calendars.get(named) if isinstance(named, str) else None
