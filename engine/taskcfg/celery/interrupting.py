"""The worker's side of a cancelled fire: its body is interrupted, as by its soft time limit."""

from __future__ import annotations

import logging
import os
import signal
from collections.abc import Collection
from contextlib import suppress
from typing import Any

from celery.worker import state
from celery.worker.control import control_command

from taskcfg.dispatch.interrupting import COMMAND

logger = logging.getLogger("taskcfg.worker")

PREFORK = "celery.concurrency.prefork"


@control_command(name=COMMAND)  # type: ignore[untyped-decorator]  # Celery has no types
def stop(panel: Any, celery_ids: Collection[str] = (), **_: Any) -> dict[str, list[str]]:
    """Interrupt the attempts with these ids that run in this worker.

    Not with Celery's `revoke`: it takes the message for done while the body is still at it. The
    gate in the pool process records what becomes of the attempt.
    """
    wanted, stopped = frozenset(celery_ids), []
    for request in list(state.active_requests):
        if request.id not in wanted or not request.worker_pid:
            continue
        if type(panel.consumer.pool).__module__ != PREFORK:
            logger.warning(
                "execution.unstoppable celery_id=%s reason='only prefork can stop a task'", request.id
            )
            continue
        with suppress(ProcessLookupError):
            os.kill(request.worker_pid, signal.SIGUSR1)
            stopped.append(request.id)
            logger.warning("execution.interrupted celery_id=%s pid=%d", request.id, request.worker_pid)
    return {"stopped": stopped}
