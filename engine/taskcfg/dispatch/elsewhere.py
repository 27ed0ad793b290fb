"""Messages of fires that are recorded in another database, on a queue that both have in common."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from celery import Task

from taskcfg.clock import Clock
from taskcfg.dispatch.message import DATABASE_HEADER

RETURNS_HEADER = "taskcfg_returns"
"""How often workers of other databases have put the message back."""

MOST_RETURNS = 10
FIRST_PAUSE = 0.05
LONGEST_PAUSE = 1.0
"""Seconds before a message is put back, doubling: some 5 s in all."""


def named_database(request: Any) -> UUID | None:
    """Return the database that the message behind *request* names; None where it names none."""
    try:
        return UUID(str(request.get(DATABASE_HEADER)))
    except ValueError:
        return None


def put_back(task: Task, args: Sequence[Any], kwargs: Mapping[str, Any], clock: Clock) -> bool:
    """Put a copy of *task*'s present message at the end of its queue; False after `MOST_RETURNS` times.

    At the end, so that this worker's own fires come in between. Not by rejecting the message: it
    would come back at once, to the same worker, for ever. Both databases see the same id, so that
    the gate of the right one lets it through once.
    """
    request = task.request
    returns = int(request.get(RETURNS_HEADER) or 0)
    if returns >= MOST_RETURNS:
        return False
    clock.sleep(min(FIRST_PAUSE * 2**returns, LONGEST_PAUSE))
    signature = task.signature_from_request(request, args, kwargs)
    headers = {**(signature.options.get("headers") or {}), RETURNS_HEADER: returns + 1}
    signature.set(headers=headers).apply_async()
    return True
