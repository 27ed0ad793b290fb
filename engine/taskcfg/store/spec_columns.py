"""A task's spec as columns of `task_config`, and back."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from sqlalchemy import Row, Text, cast

from taskcfg.problems import Position
from taskcfg.spec.policy import Policy, policy_from_document
from taskcfg.spec.schedule import Schedule, schedule_document
from taskcfg.spec.schedule_reading import schedule_from_document
from taskcfg.spec.task import TaskSpec
from taskcfg.store.calendars import forget_calendars, known_calendar
from taskcfg.store.tables import task_config

_c = task_config.c

SPEC_SELECTION = (
    _c.id,
    _c.name,
    _c.type,
    _c.description,
    cast(_c.schedule, Text).label("schedule"),
    _c.timezone,
    cast(_c.params, Text).label("params"),
    cast(_c.policy, Text).label("policy"),
    cast(_c.labels, Text).label("labels"),
    _c.owner,
    _c.runbook,
    _c.enabled,
    _c.queue,
    _c.priority,
    _c.protect,
    _c.version,
    _c.file,
    _c.line,
)
"""What `spec_of` needs of a row. JSON comes as text: one that cannot be read spoils its own row only,
and equal texts are read once."""

UNREADABLE = (ValueError, KeyError, TypeError, AttributeError)
"""What `spec_of` raises for a row that somebody else wrote."""


def columns_of(spec: TaskSpec) -> dict[str, Any]:
    """Return the columns that hold *spec*: those of the spec, its digest and its place."""
    return {
        "name": spec.name,
        "type": spec.type,
        "description": spec.description,
        "schedule": schedule_document(spec.schedule),
        "timezone": spec.timezone,
        "params": dict(spec.params),
        "policy": spec.policy.document(),
        "spec_digest": spec.digest,
        "labels": dict(spec.labels),
        "owner": spec.owner,
        "runbook": spec.runbook,
        "enabled": spec.enabled,
        "queue": spec.queue,
        "priority": spec.priority,
        "protect": spec.protect,
        "file": spec.position.file if spec.position else None,
        "line": spec.position.line if spec.position else None,
        "renamed_from": spec.renamed_from,
    }


def spec_of(row: Row[Any]) -> TaskSpec:
    """Return the spec in *row*, of `SPEC_SELECTION` and `with_calendars`. Raises one of `UNREADABLE`."""
    # By position: this is done for each due task, and names cost as much as the rest.
    (
        _,
        name,
        type_,
        description,
        schedule,
        timezone,
        params,
        policy,
        labels,
        owner,
        runbook,
        enabled,
        queue,
        priority,
        protect,
        _,
        file,
        line,
    ) = row[: len(SPEC_SELECTION)]
    return TaskSpec(
        name,
        type_,
        _schedule(schedule),
        _mapping(params),
        timezone,
        policy_of(policy),
        description,
        {} if labels == "{}" else _mapping(labels),
        owner,
        runbook,
        enabled,
        queue,
        priority,
        protect,
        Position(file, line or 0) if file else None,
    )


@lru_cache(maxsize=1024)
def policy_of(text: str) -> Policy:
    """Return the policy in the column's text. Raises one of `UNREADABLE`."""
    return policy_from_document(json.loads(text))


def labels_of(text: str) -> Mapping[str, str]:
    """Return the labels in the column's text, none where somebody spoiled it."""
    try:
        return _mapping(text)
    except UNREADABLE:
        return {}


@lru_cache(maxsize=1024)
def _schedule(text: str) -> Schedule:
    return schedule_from_document(json.loads(text), known_calendar)


def forget_schedules() -> None:
    """Have every calendar, and every schedule, read from the database again."""
    forget_calendars()
    _schedule.cache_clear()


def _mapping(text: str) -> Mapping[str, Any]:
    value = json.loads(text)
    if not isinstance(value, dict):
        raise ValueError(f"not a mapping: {text[:80]}")
    return value
