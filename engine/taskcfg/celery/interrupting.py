"""The worker's side of what is to be stopped: a body is interrupted, as by its soft time limit."""

from __future__ import annotations

import logging
import os
import signal
from collections.abc import Collection
from contextlib import suppress
from typing import Any
from uuid import UUID

from celery.worker import state
from celery.worker.control import control_command

from taskcfg.dispatch.interrupting import COMMAND
from taskcfg.dispatch.message import EVENT_HEADER

logger = logging.getLogger("taskcfg.worker")

PREFORK = "celery.concurrency.prefork"


@control_command(name=COMMAND)  # type: ignore[untyped-decorator]  # Celery has no types
def stop(panel: Any, celery_ids: Collection[str] = (), **_: Any) -> dict[str, list[str]]:
    """Interrupt the attempts with these ids that run in this worker.

    Not with Celery's `revoke`: it takes the message for done while the body is still at it. The
    gate in the pool process records what becomes of the attempt.
    """
    return {"stopped": interrupt(panel.consumer.pool, celery_ids)}


def interrupt(pool: Any, celery_ids: Collection[str]) -> list[str]:
    """Interrupt those of the attempts *celery_ids* that run in *pool*, and return their ids."""
    wanted, stopped = frozenset(celery_ids), []
    for request in list(state.active_requests):
        if request.id not in wanted or not request.worker_pid:
            continue
        if type(pool).__module__ != PREFORK:
            logger.warning(
                "execution.unstoppable celery_id=%s reason='only prefork can stop a task'", request.id
            )
            continue
        with suppress(ProcessLookupError):
            os.kill(request.worker_pid, signal.SIGUSR1)
            stopped.append(request.id)
            logger.warning("execution.interrupted celery_id=%s pid=%d", request.id, request.worker_pid)
    return stopped


def running_fires() -> list[UUID]:
    """Return the ids of the fires of which an attempt runs in this worker."""
    named = (request.request_dict.get(EVENT_HEADER) for request in list(state.active_requests))
    return [UUID(event_id) for event_id in named if event_id is not None]
