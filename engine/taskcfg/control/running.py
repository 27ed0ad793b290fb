"""Running tasks now, and waiting until they have run."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

from pydantic import ValidationError

from taskcfg.clock import Clock
from taskcfg.control.documents import requested_document
from taskcfg.control.names import choose_to_act
from taskcfg.errors import InvalidParams
from taskcfg.problems import Severity
from taskcfg.source.findings import did_you_mean
from taskcfg.source.wording import worded
from taskcfg.spec.fires import LIVE_STATES, EventState, ExecutionState
from taskcfg.spec.selection import Selection
from taskcfg.store.database import Engine, reading, writing
from taskcfg.store.history import ExecutionRow, FireRow, executions_of, fires_by_id
from taskcfg.store.requests import Runnable, request_run, runnable
from taskcfg.types.registry import Registry, TaskType

FIRST_POLL = 0.05
LONGEST_POLL = 1.0
"""Seconds between two looks at a fire that is waited for: doubled each time, up to this."""


@dataclass(frozen=True, slots=True)
class Requested:
    """A fire that was asked for, and its newest attempt, None where there is none yet."""

    fire: FireRow
    execution: ExecutionRow | None = None

    @property
    def ended(self) -> bool:
        return self.fire.state not in LIVE_STATES

    @property
    def succeeded(self) -> bool:
        """Whether its last attempt did; of a fire without a gate nobody knows more than that it is out."""
        done = self.fire.state == EventState.DONE
        return done and (self.execution is None or self.execution.state == ExecutionState.SUCCEEDED)

    @property
    def outcome(self) -> str:
        """The state to tell: the fire's own, or once it is `done`, that of its last attempt."""
        if self.fire.state == EventState.DONE and self.execution is not None:
            return self.execution.state
        return self.fire.state

    def document(self) -> dict[str, Any]:
        return requested_document(self.fire, self.execution)


@dataclass(frozen=True, slots=True)
class Request:
    """What to run: each of *selection*, *params* laid over its own. The same `id` runs them once."""

    selection: Selection
    params: Mapping[str, Any] | None
    actor: str
    id: str


def run_now(database: Engine, registry: Registry, request: Request, *, largest: int) -> list[Requested]:
    """Record the fires: all of them, or none; and none with params that no message of *largest* bytes holds.

    Raises UnknownTask, RetiredTask, NoTaskMatches, InvalidParams, UnknownType.
    """
    with writing(database) as connection:
        names = [row.name for row in choose_to_act(connection, request.selection)]
        order = {name: place for place, name in enumerate(request.selection.names)}
        names.sort(key=lambda name: order.get(name, len(order)))
        tasks = runnable(connection, names)
        if request.params:
            tasks = [_with_params(task, request.params, registry, largest) for task in tasks]
        fires = request_run(connection, tasks, actor=request.actor, request_id=request.id)
    return [Requested(fire) for fire in fires]


def await_end(
    database: Engine, requested: Sequence[Requested], clock: Clock, timeout: float | None
) -> list[Requested]:
    """Return the fires as they stand when all have ended, or after *timeout* seconds."""
    deadline = None if timeout is None else clock.monotonic() + timeout
    pause = FIRST_POLL
    while True:
        seen = look_again(database, requested)
        left = LONGEST_POLL if deadline is None else deadline - clock.monotonic()
        if left <= 0 or all(each.ended for each in seen):
            return seen
        clock.sleep(min(pause, left))
        pause = min(pause * 2, LONGEST_POLL)


def look_again(database: Engine, requested: Sequence[Requested]) -> list[Requested]:
    """Return the fires as they stand now, in the same order; one whose task is gone for good is left out."""
    ids: list[UUID] = [each.fire.id for each in requested]
    with reading(database) as connection:
        fires = {fire.id: fire for fire in fires_by_id(connection, ids)}
        attempts = executions_of(connection, list(fires))
    return [
        Requested(fires[id_], attempts[id_][-1] if attempts[id_] else None) for id_ in ids if id_ in fires
    ]


def _with_params(task: Runnable, params: Mapping[str, Any], registry: Registry, largest: int) -> Runnable:
    task_type = registry.named(task.spec.type)
    try:
        changed = task_type.canonical_params(_laid_over(task.spec.params, params))
    except ValidationError as error:
        raise _misfit(task.spec.name, task_type, error) from error
    except ValueError as error:
        raise InvalidParams(task.spec.name, [str(error)]) from error
    misfits = registry.misfits(replace(task.spec, params=changed))
    if any(misfit.severity is Severity.ERROR for misfit in misfits):
        raise InvalidParams(task.spec.name, [f"{misfit.field}: {misfit.message}" for misfit in misfits])
    if (size := len(json.dumps(changed))) > largest:
        invalid = InvalidParams(
            task.spec.name, [f"they have {size:,} bytes as JSON, and `max_message_size` is {largest:,}"]
        )
        invalid.hint = "have the task fetch what is large from where it is stored"
        raise invalid
    return replace(task, params=changed)


def _misfit(name: str, task_type: TaskType, error: ValidationError) -> InvalidParams:
    details = error.errors(include_url=False)
    invalid = InvalidParams(
        name, [f"{'.'.join(str(part) for part in each['loc'])}: {worded(each).message}" for each in details]
    )
    unknown = [
        each["loc"][0] for each in details if each["type"] == "extra_forbidden" and len(each["loc"]) == 1
    ]
    if unknown:
        invalid.hint = did_you_mean(str(unknown[0]), task_type.params_model.model_fields)
    return invalid


def _laid_over(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """Return *above* over *below*: mappings merge, all else replaces."""
    merged = dict(below)
    for key, value in above.items():
        old = merged.get(key)
        if isinstance(old, Mapping) and isinstance(value, Mapping):
            merged[key] = _laid_over(old, value)
        else:
            merged[key] = value
    return merged
