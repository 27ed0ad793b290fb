"""The fields of a task that are read from one value, and `retry`."""

from __future__ import annotations

from typing import Any
from zoneinfo import available_timezones

from yaml.nodes import MappingNode, Node

from taskcfg.source.findings import TaskFindings, did_you_mean
from taskcfg.source.nodes import Entries, entries_of, is_null, value_of
from taskcfg.source.schedules import KINDS
from taskcfg.spec.cron import LATER
from taskcfg.spec.fields import (
    LATER_FIELDS,
    RETRY_FIELDS,
    SCALAR_FIELDS,
    InvalidValue,
    checked_retry,
    retry_field,
    shown,
)
from taskcfg.spec.policy import Policy, Retry
from taskcfg.spec.task import DEFAULT_PRIORITY
from taskcfg.types.registry import TaskType

OWN_FIELDS = ("type", "schedule", "params", "retry")
"""The fields that are more than one value."""

FIELDS = (*OWN_FIELDS, *SCALAR_FIELDS)

_CLEARED: dict[str, Any] = {
    "description": None,
    "enabled": True,
    "timezone": "UTC",
    "queue": None,
    "priority": DEFAULT_PRIORITY,
    **{name: getattr(Policy(), name) for name in ("timeout", "overlap", "catch_up", "expires", "delivery")},
}
"""What an explicit empty value means: not inherited, but taskcfg's own default."""


def read_scalars(entries: Entries, task_type: TaskType | None, findings: TaskFindings) -> dict[str, Any]:
    """Return the fields of a task that are read on their own; report those that are none of a task's."""
    values: dict[str, Any] = {}
    for name, (key, node) in entries.items():
        read = SCALAR_FIELDS.get(name)
        if read is None:
            if name not in OWN_FIELDS:
                _report_unknown(name, key, task_type, findings)
        elif is_null(node):
            values[name] = _CLEARED[name]
        else:
            value = value_of(node, findings.findings)
            try:
                values[name] = read(value)
            except InvalidValue as error:
                hint = _zone_hint(value) if name == "timezone" else None
                findings.add(name, node, str(error), hint or error.hint)
    return values


def read_retry(base: Retry, entries: Entries, findings: TaskFindings) -> Retry:
    """Return *base* with what `retry` says; what is wrong in it goes to *findings*."""
    if "retry" not in entries:
        return base
    node = entries["retry"][1]
    if is_null(node):
        return Retry()
    if not isinstance(node, MappingNode):
        found = shown(value_of(node, findings.findings))
        findings.add("retry", node, f"expected a mapping, found {found}", "write `retry: {attempts: 3}`")
        return base
    fields = entries_of(node, findings.findings)
    try:
        return checked_retry(base, _retry_changes(fields, findings))
    except InvalidValue as error:
        findings.add(f"retry.{error.key}", fields[error.key or ""][1], str(error), error.hint)
        return base


def _retry_changes(fields: Entries, findings: TaskFindings) -> dict[str, Any]:
    changes: dict[str, Any] = {}
    for name, (key, value) in fields.items():
        try:
            if name not in RETRY_FIELDS:
                findings.add(f"retry.{name}", key, "unknown field", did_you_mean(name, RETRY_FIELDS))
            elif is_null(value):
                changes[name] = getattr(Retry(), name)
            else:
                changes[name] = retry_field(name, value_of(value, findings.findings))
        except InvalidValue as error:
            findings.add(f"retry.{name}", value, str(error), error.hint)
    return changes


def _report_unknown(name: str, key: Node, task_type: TaskType | None, findings: TaskFindings) -> None:
    if name in LATER_FIELDS:
        findings.add(name, key, LATER, "remove it; it comes with a later version")
        return
    hint = did_you_mean(name, FIELDS)
    if name in KINDS:
        hint = f"write `schedule: {{{name}: …}}`"
    elif task_type is not None and name in task_type.params_model.model_fields:
        hint = f"it belongs under `params` of type `{task_type.name}`"
    findings.add(name, key, "unknown field", hint)


def _zone_hint(value: Any) -> str | None:
    if not isinstance(value, str):
        return None
    zones = available_timezones() - {value}
    same = next((zone for zone in sorted(zones) if zone.lower() == value.lower()), None)
    return f"did you mean `{same}`?" if same else did_you_mean(value, zones)
