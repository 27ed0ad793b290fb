"""Instants as task files write them."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from yaml.nodes import Node, ScalarNode

from taskcfg.problems import Severity
from taskcfg.source.findings import TaskFindings
from taskcfg.source.nodes import value_of
from taskcfg.spec.shown import shown
from taskcfg.spec.times.wall_times import FIRST_YEAR, LAST_YEAR

INSTANT = re.compile(
    r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d(?::\d\d(?:\.\d{1,6})?)?(?:[Zz]|[+-]\d\d:?\d\d)?", re.ASCII
)

_DATE = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)


def read_instant(node: Node, zone: ZoneInfo, field: str, findings: TaskFindings) -> datetime | None:
    """Return the instant that *node* writes, in UTC; without an offset it is in *zone*."""
    value = node.value if isinstance(node, ScalarNode) else value_of(node, findings.findings)
    try:
        if not isinstance(value, str) or not INSTANT.fullmatch(value):
            raise ValueError("not of the form")
        written = datetime.fromisoformat(value.upper())
        instant = _in_utc(written, zone)
    except (ValueError, OverflowError):
        hint = "write it as `2026-12-24T18:00:00+01:00`; without an offset it is in the task's zone"
        if isinstance(value, str) and _DATE.fullmatch(value):
            hint = f"write the time too: `{value}T00:00` is midnight in the task's zone"
        findings.add(field, node, f"expected an instant, found {shown(value)}", hint)
        return None
    if FIRST_YEAR <= instant.year <= LAST_YEAR:
        meant = _what_clocks_do(written, instant, zone)
        if meant is not None:
            hint = "write its offset from UTC, such as `+01:00`, to say which instant is meant"
            findings.add(field, node, f"{shown(value)} {meant}", hint, Severity.WARNING)
        return instant
    findings.add(
        field, node, f"{shown(value)} is too far away: the years go from {FIRST_YEAR} to {LAST_YEAR}"
    )
    return None


def _what_clocks_do(written: datetime, instant: datetime, zone: ZoneInfo) -> str | None:
    """Say how a local time is meant that *zone*'s clocks skip or show twice; None for any other."""
    if written.tzinfo is not None:
        return None
    earlier, later = (written.replace(tzinfo=zone, fold=fold).utcoffset() for fold in (0, 1))
    if earlier == later:
        return None
    local = instant.astimezone(zone)
    if local.replace(tzinfo=None) != written:
        return f"does not exist in {zone.key}: {local:%H:%M} is meant, the first time that clocks show again"
    return f"comes twice in {zone.key}: the first time is meant"


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
