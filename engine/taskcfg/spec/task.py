"""A task as declared, with everything resolved: the unit that is planned, applied and fired."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property
from typing import Any

from taskcfg.problems import Position
from taskcfg.spec.calendar import Calendar
from taskcfg.spec.policy import Policy, policy_from_document
from taskcfg.spec.schedule import Manual, Schedule, schedule_document
from taskcfg.spec.schedule_reading import schedule_from_document

POLICY_FIELDS = tuple(Policy.__dataclass_fields__)
DEFAULT_PRIORITY = 5
LONGEST_NAME = 200


class TaskState(StrEnum):
    """What a task is doing: the first of these that holds."""

    RETIRED = "retired"
    ERROR = "error"
    INACTIVE = "inactive"
    PAUSED = "paused"
    ACTIVE = "active"


@dataclass(frozen=True)
class TaskSpec:
    """One task. `params` is JSON, already validated by the task's type and canonical.

    `queue` None leaves the routing to the Celery app; `priority` runs from 0 (lowest) to 9.
    `position` is where it was declared, `renamed_from` the name it had; both take no part in equality, and
    none in the document.
    """

    name: str
    type: str
    schedule: Schedule = field(default_factory=Manual)
    params: Mapping[str, Any] = field(default_factory=dict)
    timezone: str = "UTC"
    policy: Policy = field(default_factory=Policy)
    description: str | None = None
    labels: Mapping[str, str] = field(default_factory=dict)
    owner: str | None = None
    runbook: str | None = None
    enabled: bool = True
    queue: str | None = None
    priority: int = DEFAULT_PRIORITY
    protect: bool = False
    position: Position | None = field(default=None, compare=False)
    renamed_from: str | None = field(default=None, compare=False)

    def document(self) -> dict[str, Any]:
        """Return the canonical JSON of all but the name, under the names of the task file's fields."""
        return {
            "type": self.type,
            "description": self.description,
            "schedule": schedule_document(self.schedule),
            "timezone": self.timezone,
            "params": dict(self.params),
            **self.policy.document(),
            "labels": dict(self.labels),
            "owner": self.owner,
            "runbook": self.runbook,
            "enabled": self.enabled,
            "queue": self.queue,
            "priority": self.priority,
            "protect": self.protect,
        }

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the canonical document, in hex: equal specs, and only they, have equal digests."""
        return digest_of(self.document())


def digest_of(document: Mapping[str, Any]) -> str:
    """Return the SHA-256, in hex, of *document* as JSON with sorted keys."""
    return hashlib.sha256(canonical_json(document).encode()).hexdigest()


def canonical_json(value: Any) -> str:
    """Return *value* as JSON text that is the same for equal values."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def task_from_document(
    name: str,
    document: Mapping[str, Any],
    *,
    calendar: Callable[[str, str], Calendar] | None = None,
    position: Position | None = None,
) -> TaskSpec:
    """Return the spec that `TaskSpec.document` wrote; *calendar* finds one by name and digest.

    Raises ValueError, KeyError or TypeError when somebody else wrote it.
    """
    rest = {key: document[key] for key in document if key not in (*POLICY_FIELDS, "schedule")}
    return TaskSpec(
        name=name,
        schedule=schedule_from_document(document["schedule"], calendar),
        policy=policy_from_document(document),
        position=position,
        **rest,
    )
