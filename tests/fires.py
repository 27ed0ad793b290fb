"""Fires to publish, made without a database."""

import uuid
from typing import Any

from taskcfg.spec.fires import Outgoing

DATABASE = uuid.UUID("3f1c4a52-0a0b-4b57-9b5e-0d8d6f2b9a10")


def message(task: str = "demo.add", **fields: Any) -> dict[str, Any]:
    """Return a frozen message, as `message_of` makes it."""
    nothing = {
        "args": [],
        "kwargs": {},
        "queue": None,
        "priority": 5,
        "time_limit": None,
        "soft_time_limit": None,
    }
    return {"task": task, **nothing, **fields}


def outgoing(task: str = "demo.add", **fields: Any) -> Outgoing:
    """Return a fire on its way, with a message of these *fields*."""
    return Outgoing(uuid.uuid4(), uuid.uuid4(), 1, 1, "nightly", message(task, **fields))


def headers_of(fire: Outgoing) -> dict[str, Any]:
    """Return the headers that we add to Celery's own."""
    return {
        "taskcfg_event": str(fire.event_id),
        "taskcfg_dispatch": fire.dispatch_no,
        "taskcfg_database": str(DATABASE),
    }


def options_of(fire: Outgoing) -> dict[str, Any]:
    """Return what `apply_async` is told to send the same message."""
    names = ("queue", "priority", "time_limit", "soft_time_limit")
    options = {name: fire.message[name] for name in names if fire.message[name] is not None}
    return {**options, "task_id": str(fire.celery_id), "headers": headers_of(fire)}
