"""The fields of a task that are read from one value, and `retry`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from yaml.nodes import MappingNode, Node

from taskcfg.source.findings import TaskFindings, did_you_mean
from taskcfg.source.nodes import Entries, entries_of, field_value, is_null, value_of
from taskcfg.source.schedules.reading import KINDS
from taskcfg.source.zones import zone_hint
from taskcfg.spec.fields import (
    LATER_FIELDS,
    MOST_LABELS,
    POLICY_FIELDS,
    RETRY_FIELDS,
    SCALAR_FIELDS,
    TEXT_FIELDS,
    InvalidValue,
    checked_retry,
    label_key,
    label_value,
    line,
    retry_field,
    task_name,
)
from taskcfg.spec.policy import Policy, Retry
from taskcfg.spec.shown import LATER, shown
from taskcfg.spec.task import DEFAULT_PRIORITY
from taskcfg.types.registry import TaskType

OWN_FIELDS = ("type", "schedule", "params", "retry", "labels", "renamed_from")
"""The fields that are more than one value, or that no task inherits."""

FIELDS = (*OWN_FIELDS, *SCALAR_FIELDS)

_CLEARED: dict[str, Any] = {
    "description": None,
    "owner": None,
    "runbook": None,
    "enabled": True,
    "timezone": "UTC",
    "queue": None,
    "priority": DEFAULT_PRIORITY,
    **{name: getattr(Policy(), name) for name in POLICY_FIELDS},
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
            value = field_value(node, findings.findings, as_text=name in TEXT_FIELDS)
            try:
                values[name] = read(value)
            except InvalidValue as error:
                hint = zone_hint(value) if name == "timezone" else None
                findings.add(name, node, str(error), hint or error.hint)
    return values


def read_renamed_from(entries: Entries, findings: TaskFindings) -> str | None:
    """Return the name that the task had, None where it says nothing."""
    if "renamed_from" not in entries or is_null(entries["renamed_from"][1]):
        return None
    node = entries["renamed_from"][1]
    try:
        name = task_name(line(field_value(node, findings.findings, as_text=True)))
    except InvalidValue as error:
        findings.add("renamed_from", node, str(error), error.hint)
        return None
    if name == findings.task:
        findings.add("renamed_from", node, "this is the task's own name", "write the name it had before")
    return name


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
                changes[name] = retry_field(name, field_value(value, findings.findings, as_text=False))
        except InvalidValue as error:
            findings.add(f"retry.{name}", value, str(error), error.hint)
    return changes


def read_labels(below: Mapping[str, str], entries: Entries, findings: TaskFindings) -> Mapping[str, str]:
    """Return the labels *below* with what `labels` says; an empty value takes one away."""
    if "labels" not in entries:
        return below
    node = entries["labels"][1]
    if is_null(node):
        return {}
    if not isinstance(node, MappingNode):
        found = shown(value_of(node, findings.findings))
        findings.add("labels", node, f"expected a mapping, found {found}", "write `labels: {team: platform}`")
        return below
    labels = dict(below)
    for name, (key, value) in entries_of(node, findings.findings).items():
        try:
            label_key(name)
        except InvalidValue as error:
            findings.add("labels", key, str(error), error.hint)
            continue
        _read_label(name, value, labels, findings)
    if len(labels) > MOST_LABELS:
        findings.add("labels", entries["labels"][0], f"a task has at most {MOST_LABELS} labels")
    return labels


def _read_label(name: str, node: Node, labels: dict[str, str], findings: TaskFindings) -> None:
    if is_null(node):
        labels.pop(name, None)
        return
    try:
        labels[name] = label_value(field_value(node, findings.findings, as_text=True))
    except InvalidValue as error:
        findings.add(f"labels.{name}", node, str(error), error.hint)


def _report_unknown(name: str, key: Node, task_type: TaskType | None, findings: TaskFindings) -> None:
    if name in LATER_FIELDS:
        findings.add(name, key, LATER, "remove it; it comes with a later version")
        return
    hint = did_you_mean(name, FIELDS)
    if name in KINDS:
        hint = f"write `schedule: {{{name}: …}}`"
    elif name.startswith("x-"):
        hint = "keys of your own stand at the top of the file, beside `tasks`"
    elif task_type is not None and name in task_type.params_model.model_fields:
        hint = f"it belongs under `params` of type `{task_type.name}`"
    findings.add(name, key, "unknown field", hint)
