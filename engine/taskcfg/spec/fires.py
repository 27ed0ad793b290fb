"""A fire on its way: the values that the store, the relay, the gate and the scheduler hand each other."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from hashlib import sha1
from typing import Any
from uuid import UUID

from taskcfg.spec.due import Decision
from taskcfg.spec.fire_time import Coming
from taskcfg.spec.instants import rfc3339
from taskcfg.spec.overlap import Live
from taskcfg.spec.secrets import with_secrets
from taskcfg.spec.task import TaskSpec

HARD_LIMIT_AFTER = timedelta(seconds=10)
"""How long after its soft limit (`timeout`) an attempt is killed."""

_UUID5 = 5 << 76 | 0b10 << 62
_UUID_BITS = ~(0xF << 76 | 0b11 << 62)
"""What every UUID of version 5 has in common, and what is left of a hash beside."""

MOST_REDISPATCHES = 3
"""How often a fire whose worker died is dispatched again under `at_least_once`."""


class EventKind(StrEnum):
    SCHEDULED = "scheduled"
    MANUAL = "manual"
    BACKFILL = "backfill"


class EventState(StrEnum):
    PENDING = "pending"
    WAITING = "waiting"
    PUBLISHED = "published"
    DONE = "done"
    SKIPPED = "skipped"
    MISSED = "missed"
    EXPIRED = "expired"
    DEAD = "dead"
    CANCELLED = "cancelled"


LIVE_STATES = (EventState.PENDING, EventState.WAITING, EventState.PUBLISHED)


class ExecutionState(StrEnum):
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    RETRYING = "retrying"
    TIMED_OUT = "timed_out"
    LOST = "lost"
    CANCELLED = "cancelled"


@dataclass(frozen=True, slots=True)
class DueTask:
    """A claimed row: the task, where its schedule stands, and which of its fires are live.

    `promised`: `next_nominal_at` counts even where the schedule does not give it any more, as after
    a change of the time zone database.
    """

    id: int
    spec: TaskSpec
    version: int
    next_nominal_at: datetime
    last_nominal_at: datetime | None
    live: Live
    promised: bool = False


@dataclass(frozen=True, slots=True)
class Advance:
    """What a pass does to one claimed row.

    With a `decision`: record it and advance the row as it says. With an `error`: quarantine the
    row with that reason. With neither: nothing is due after all; only set what comes next to
    `resume_at` (None: the schedule has ended).
    """

    task: DueTask
    decision: Decision | None
    error: str | None = None
    resume_at: Coming | None = None


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A recorded fire that this node owns and is to publish now, under its constant `celery_id`.

    `message` is the frozen message of `message_of`. `epoch` and `dispatch_no` say which claim
    and which dispatch a receipt speaks of, so that a late one changes nothing.
    """

    event_id: UUID
    celery_id: UUID
    epoch: int
    dispatch_no: int
    task: str
    message: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Confirmed:
    """The broker has taken responsibility for the message."""


@dataclass(frozen=True, slots=True)
class Unroutable:
    """The broker has no queue for it: it waits, and is tried again with backoff."""

    reason: str


@dataclass(frozen=True, slots=True)
class Unsendable:
    """It cannot be made into a message, now or later: the fire is dead."""

    reason: str


@dataclass(frozen=True, slots=True)
class Unconfirmed:
    """The broker did not answer, or broke off: nobody knows. Sending it again is harmless."""

    reason: str


Receipt = Confirmed | Unroutable | Unsendable | Unconfirmed


@dataclass(frozen=True, slots=True)
class Dispatched:
    """What a delivered message says of itself: the key of the gate."""

    event_id: UUID
    dispatch_no: int
    celery_id: UUID
    celery_retry: int
    worker: str
    boot_id: UUID | None


@dataclass(frozen=True, slots=True)
class Started:
    """The gate is open: the attempt is recorded as running and its body may run, once."""

    execution_id: UUID
    event_id: UUID
    task: str
    type: str
    kind: EventKind
    nominal_at: datetime
    fire_at: datetime
    attempt: int
    labels: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Refused:
    """The gate stays shut; the message is dropped. `reason` says why, for the log."""

    reason: str


@dataclass(frozen=True, slots=True)
class Outcome:
    """How an attempt ended. `state` is the end as seen; the store turns `failed` and `timed_out`
    into `retrying` where attempts are left."""

    state: ExecutionState
    result: Any = None
    error: str | None = None
    traceback: str | None = None


def scheduled_key(nominal_at: datetime) -> str:
    return f"s:{rfc3339(nominal_at)}"


def missed_key(first: datetime) -> str:
    return f"x:{rfc3339(first)}"


def manual_key(request_id: str) -> str:
    return f"m:{request_id}"


def celery_id(database: UUID, task_config_id: int, dedupe_key: str, dispatch_no: int) -> UUID:
    """Return the constant id of one dispatch: whoever sends it, and however often, sends this id."""
    # `uuid5`, for a third of its time: it is worked out for each fire.
    name = f"{task_config_id}|{dedupe_key}|{dispatch_no}".encode()
    digest = int.from_bytes(sha1(database.bytes + name, usedforsecurity=False).digest()[:16])
    return UUID(int=digest & _UUID_BITS | _UUID5)


def message_of(spec: TaskSpec, params: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Return what is frozen in an event: all that is needed to send it, and to send it again.

    *params*, already validated, stand in for the task's own. Keys: `task` (the Celery task's
    name), `args`, `kwargs`, `queue` (None: the app's routing), `priority`, and `time_limit`,
    `soft_time_limit` in seconds or None; `gate` False, only where the worker has none.
    """
    params = spec.params if params is None else params
    timeout = spec.policy.timeout
    gated = is_gated(spec.type, params)
    if spec.type == "celery":
        # Where no gate reads what stands for a `${secret:`, the text itself must arrive.
        given = params if gated else with_secrets(dict(params), "${{secret:{}}}".format)
        name, args, kwargs = given["task"], list(given.get("args", ())), dict(given.get("kwargs", {}))
    else:
        name, args, kwargs = celery_task_name(spec.type), [], {"params": dict(params)}
    return {
        "task": name,
        "args": args,
        "kwargs": kwargs,
        "queue": spec.queue,
        "priority": spec.priority,
        "time_limit": None if timeout is None else (timeout + HARD_LIMIT_AFTER).total_seconds(),
        "soft_time_limit": None if timeout is None else timeout.total_seconds(),
        **({} if gated else {"gate": False}),
    }


def is_gated(type_name: str, params: Mapping[str, Any]) -> bool:
    """Say whether attempts are recorded, and not only that a message was published."""
    return type_name != "celery" or params.get("gate") is not False


def celery_task_name(type_name: str) -> str:
    """Return the name under which a type's function is registered with Celery."""
    return f"taskcfg.{type_name}"
