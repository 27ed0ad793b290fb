"""One node at a time has workers stop what was cancelled while it runs."""

from __future__ import annotations

import logging
from uuid import UUID

from taskcfg.clock import Clock
from taskcfg.dispatch.interrupting import Interrupter
from taskcfg.failpoints import failpoint
from taskcfg.store import leases
from taskcfg.store.database import Engine
from taskcfg.store.interventions import ToInterrupt, attempts_to_interrupt

logger = logging.getLogger("taskcfg.interrupter")

LEASE = "interrupter"
EVERY = 1.0

ASK_AGAIN = 30.0
"""Seconds a body gets to clean up before it is interrupted again."""


class Interrupting:
    """Looks for running attempts whose fires were cancelled, and asks their workers to stop them.

    The mark in the database is what counts: whoever asks may die, and the next one asks again.
    """

    def __init__(self, database: Engine, node_id: UUID, interrupter: Interrupter, clock: Clock) -> None:
        self._database = database
        self._node_id = node_id
        self._interrupter = interrupter
        self._clock = clock
        self._asked: dict[UUID, float] = {}

    def run_once(self) -> float:
        """Ask for what is to stop; return the seconds until the next look."""
        found = attempts_to_interrupt(self._database)
        self._asked = {
            each.celery_id: self._asked[each.celery_id] for each in found if each.celery_id in self._asked
        }
        due = [each for each in found if self._is_due(each)]
        lease = leases.acquire(self._database, LEASE, self._node_id, self._clock) if due else None
        if lease is not None:
            for worker in sorted({each.worker for each in due}):
                if not lease.trusted(self._clock):
                    break
                self._ask(worker, [each.celery_id for each in due if each.worker == worker])
        return EVERY

    def _is_due(self, each: ToInterrupt) -> bool:
        asked = self._asked.get(each.celery_id)
        return asked is None or self._clock.monotonic() - asked >= ASK_AGAIN

    def _ask(self, worker: str, celery_ids: list[UUID]) -> None:
        failpoint("interrupt.before_ask")
        try:
            self._interrupter.interrupt(worker, celery_ids)
        except Exception as error:  # noqa: BLE001 whatever the broker's library raises: it is tried again
            logger.warning("interrupt.unsent worker=%s reason=%r", worker, f"{type(error).__name__}: {error}")
            return
        failpoint("interrupt.after_ask")
        now = self._clock.monotonic()
        self._asked |= dict.fromkeys(celery_ids, now)
        for id_ in celery_ids:
            logger.info("interrupt.sent worker=%s celery_id=%s", worker, id_)
