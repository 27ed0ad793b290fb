"""The rule of a schedule in a task file: `cron` as text or with named fields, `every`, and `at`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from yaml.nodes import MappingNode, Node, SequenceNode

from taskcfg.source.findings import TaskFindings, did_you_mean
from taskcfg.source.nodes import Entries, entries_of, is_null, value_of
from taskcfg.source.schedules.instants import read_instant
from taskcfg.spec.fields import InvalidValue, positive_duration
from taskcfg.spec.schedule import CRON_FIELDS, EPOCH, At, Cron, CronFields, Every, Rule
from taskcfg.spec.shown import shown
from taskcfg.spec.times.cron import LONGEST, NAMED_FIELDS, read_cron, read_cron_fields
from taskcfg.spec.times.cron_terms import InvalidCron, read_field
from taskcfg.spec.times.hashed import resolved, resolved_fields
from taskcfg.spec.times.plain_times import SHORTEST_INTERVAL

_ELSEWHERE = {"day_of_month": "day", "dom": "day", "weekday": "day_of_week", "dow": "day_of_week"}
"""What other programs call our fields."""


@dataclass(frozen=True, slots=True)
class Place:
    """One schedule in a task: `path` names it in problems; instants without offset are in `zone`."""

    path: str
    zone: ZoneInfo
    findings: TaskFindings

    @property
    def task(self) -> str:
        return self.findings.task or ""

    def add(self, name: str, node: Node, message: str, hint: str | None = None) -> None:
        self.findings.add(f"{self.path}.{name}", node, message, hint)

    def value(self, node: Node) -> Any:
        return value_of(node, self.findings.findings)

    def instant(self, name: str, node: Node) -> datetime | None:
        return read_instant(node, self.zone, f"{self.path}.{name}", self.findings)


def read_rule(kind: str, entries: Entries, place: Place) -> Rule | None:
    """Return the rule that the *entries* of a schedule give by their key *kind*, one of `READERS`."""
    return READERS[kind](entries[kind][1], entries, place)


def _read_cron(node: Node, _: Entries, place: Place) -> Cron | CronFields | None:
    if isinstance(node, MappingNode):
        return _read_fields(node, place)
    value = place.value(node)
    if not isinstance(value, str):
        hint = 'write them in quotes, such as "0 3 * * *"'
        if isinstance(node, SequenceNode):
            hint = 'for several, write a list of schedules: `[{cron: "0 3 * * *"}, {cron: "30 4 * * *"}]`'
        place.add("cron", node, f"expected five fields of text, found {shown(value)}", hint)
        return None
    try:
        return Cron(read_cron(resolved(value, place.task)).text)
    except InvalidCron as error:
        place.add("cron", node, str(error), error.hint)
        return None


def _read_fields(node: MappingNode, place: Place) -> CronFields | None:
    entries = entries_of(node, place.findings.findings)
    given: dict[str, str | None] = {}
    for name, (key, value) in entries.items():
        if name not in NAMED_FIELDS:
            known = _ELSEWHERE.get(name)
            hint = f"did you mean `{known}`?" if known else did_you_mean(name, NAMED_FIELDS)
            place.add(f"cron.{name}", key, "unknown field", hint)
            given[name] = None
        elif not is_null(value):
            given[name] = _read_field(name, value, place)
    if None in given.values():
        return None
    fields = tuple((name, text) for name in CRON_FIELDS if (text := given.get(name)) is not None)
    if not fields:
        place.add("cron", node, "names no field", "write some, such as `{hour: 9, minute: 30}`")
        return None
    try:
        read_cron_fields(fields)
    except InvalidCron as error:
        place.add("cron", node, str(error), error.hint)
        return None
    return CronFields(fields)


def _read_field(name: str, node: Node, place: Place) -> str | None:
    """Return what a named field takes, as text; each item of a list is checked by itself."""
    if not isinstance(node, SequenceNode):
        return _read_term(name, f"cron.{name}", node, place)
    if not node.value:
        place.add(f"cron.{name}", node, "names nothing", "write `*` for every one, or leave it out")
        return None
    terms = [
        _read_term(name, f"cron.{name}[{number}]", item, place) for number, item in enumerate(node.value)
    ]
    known = [term for term in terms if term is not None]
    return ",".join(known) if len(known) == len(terms) else None


def _read_term(name: str, path: str, node: Node, place: Place) -> str | None:
    value = place.value(node)
    if isinstance(value, bool) or not isinstance(value, str | int):
        expected = "`MON-FRI`" if name == "day_of_week" else "`9`, `8-17` or `*/2`"
        place.add(path, node, f"expected what the field takes, such as {expected}, found {shown(value)}")
        return None
    text = ",".join(term.strip() for term in str(value).upper().split(","))
    try:
        if len(text) > LONGEST:
            raise InvalidCron(f"a field of {len(text)} characters: at most {LONGEST}")
        plain = resolved_fields(((name, text),), place.task)[0][1]
        read_field(NAMED_FIELDS[name], plain)
    except InvalidCron as error:
        place.add(path, node, str(error), error.hint)
        return None
    return plain


def _read_every(node: Node, entries: Entries, place: Place) -> Every | None:
    anchor: datetime | None = EPOCH
    if "anchor" in entries and not is_null(entries["anchor"][1]):
        anchor = place.instant("anchor", entries["anchor"][1])
    interval = _read_interval(node, place)
    return Every(interval, anchor) if interval and anchor else None


def _read_interval(node: Node, place: Place) -> timedelta | None:
    value = place.value(node)
    try:
        interval = positive_duration(value)
    except InvalidValue as error:
        place.add("every", node, str(error), error.hint)
        return None
    if interval < SHORTEST_INTERVAL:
        place.add("every", node, f"{shown(value)} is shorter than 1s, the shortest interval")
        return None
    return interval


def _read_at(node: Node, _: Entries, place: Place) -> At | None:
    items = node.value if isinstance(node, SequenceNode) else [node]
    if not items:
        place.add("at", node, "names no instant", "write one, or `schedule: manual`")
        return None
    instants = [place.instant("at", item) for item in items]
    found = sorted({instant for instant in instants if instant is not None})
    return None if None in instants else At(tuple(found))


READERS: Mapping[str, Callable[[Node, Entries, Place], Rule | None]] = {
    "cron": _read_cron,
    "every": _read_every,
    "at": _read_at,
}
