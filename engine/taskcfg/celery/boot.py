"""One life of a worker: its row among the nodes, and what its parent process learns and must do."""

from __future__ import annotations

import logging
import os
import socket
import threading
from collections import deque
from datetime import timedelta
from typing import Any
from uuid import UUID

from taskcfg.celery.interrupting import interrupt, running_fires
from taskcfg.celery.queues import served_by
from taskcfg.clock import Clock, SystemClock
from taskcfg.dispatch.protocol import Records
from taskcfg.errors import DatabaseUnavailable, TaskcfgError
from taskcfg.failpoints import failpoint
from taskcfg.spec.fires import Dispatched, Outcome
from taskcfg.store import nodes, schema
from taskcfg.store.database import Engine
from taskcfg.store.given_up import given_up

logger = logging.getLogger("taskcfg.worker")

PATIENCE = 10.0
"""Seconds to wait at the end for what is still to be written."""

RETRY = 0.5
"""Seconds between two tries to renew the row while the database is away: when it returns, the row
must be renewed before anybody takes its age for a death."""

DOUBTFUL = 3
"""Beats after one that came too late, at which this worker asks whether it was taken for dead."""


class Boot:
    """Registers the worker when it is ready, renews its row, and signs it off.

    While the row is alive, what the worker runs is alive too; when it is not renewed for *lease*,
    its attempts are lost. One thread does all that waits for the database, so that the worker's
    own loop never does.
    """

    def __init__(
        self,
        database: Engine,
        records: Records,
        *,
        boot_id: UUID,
        hostname: str,
        heartbeat: timedelta,
        lease: timedelta,
        environment: str | None = None,
        clock: Clock | None = None,
    ) -> None:
        self.id = boot_id
        self._database = database
        self._records = records
        self._hostname = hostname
        self._heartbeat = heartbeat
        self._lease = lease
        self._environment = environment
        self._clock = clock or SystemClock()
        self._consumer: Any = None
        self._registered: frozenset[str] | None = None
        self._ends: deque[tuple[Dispatched, Outcome | str]] = deque()
        self._woken = threading.Event()
        self._stopping = False
        self._away = False
        self._said: str | None = None
        self._renewed_at = self._clock.monotonic()
        self._doubtful = 0
        self._thread = threading.Thread(target=self._run, name="taskcfg-boot", daemon=True)

    def begin(self, consumer: Any) -> None:
        """Register, if the database is there, and keep the row alive from now on."""
        self._consumer = consumer
        self._try_to_beat()
        self._thread.start()

    def conclude(self, dispatched: Dispatched, outcome: Outcome) -> None:
        """Have it written down that an attempt of a dead pool process ended. Does not wait."""
        self._ends.append((dispatched, outcome))
        self._woken.set()

    def unknown(self, dispatched: Dispatched, reason: str) -> None:
        """Have it written down why a message was dropped unseen by the gate. Does not wait."""
        self._ends.append((dispatched, reason))
        self._woken.set()

    def end(self) -> None:
        """Write what is still to be written, and sign off. Waits a bounded time."""
        self._stopping = True
        self._woken.set()
        if self._thread.ident is not None:
            self._thread.join(PATIENCE)
        failpoint("boot.before_end")
        if self._registered is not None and not self._thread.is_alive():
            try:
                nodes.end(self._database, self.id)
            except DatabaseUnavailable as error:
                logger.warning("worker.unsigned reason=%r", error.message)

    def _run(self) -> None:
        next_beat = self._next_beat()
        while not self._stopping or self._ends:
            self._woken.wait(max(0.0, next_beat - self._clock.monotonic()))
            self._woken.clear()
            while self._ends:
                self._write_end()
            if self._clock.monotonic() >= next_beat and not self._stopping:
                self._try_to_beat()
                next_beat = self._next_beat()

    def _next_beat(self) -> float:
        return self._clock.monotonic() + (RETRY if self._away else self._heartbeat.total_seconds())

    def _write_end(self) -> None:
        dispatched, end = self._ends[0]
        failpoint("boot.before_conclude")
        try:
            if isinstance(end, Outcome):
                said = str(self._records.finish_dispatch(dispatched, end) or end.state)
                reason = end.error
            else:
                self._records.explain(dispatched, end)
                said, reason = "unknown", end
        except Exception:
            logger.exception("child.unrecorded event=%s", dispatched.event_id)
        else:
            logger.warning("child.%s event=%s reason=%r", said, dispatched.event_id, reason)
        self._ends.popleft()

    def _try_to_beat(self) -> None:
        try:
            self._beat()
        except DatabaseUnavailable as error:
            if not self._away:
                logger.error("database.unavailable reason=%r", error.message)
            self._away = True
        except TaskcfgError as error:
            if error.message != self._said:
                logger.error("worker.unregistered reason=%r hint=%r", error.message, error.hint)
            self._said = error.message
        except Exception:
            logger.exception("worker.unregistered")
        else:
            if self._away or self._said:
                logger.warning("database.recovered")
            self._away, self._said = False, None

    def _beat(self) -> None:
        failpoint("boot.before_beat")
        self._renew()
        now = self._clock.monotonic()
        if now - self._renewed_at > self._lease.total_seconds():
            self._doubtful = DOUBTFUL
        self._renewed_at = now
        if self._doubtful:
            self._doubtful -= 1
            self._stop_given_up()

    def _stop_given_up(self) -> None:
        """Interrupt what somebody gave up for lost while this process was frozen and its pool was not."""
        ids = given_up(self._database, self.id, running_fires())
        if ids:
            logger.warning("worker.taken_for_dead executions=%d: they are stopped", len(ids))
            interrupt(self._consumer.pool, [str(id_) for id_ in ids])

    def _renew(self) -> None:
        queues = served_by(self._consumer)
        if queues is None:
            queues = self._registered or frozenset()
        if self._registered is None:
            schema.check_for(self._database, self._environment)
        if queues == self._registered and nodes.renew(self._database, self.id, self._lease):
            return
        nodes.register(
            self._database,
            self.id,
            kind=nodes.WORKER,
            name=self._hostname,
            host=socket.gethostname(),
            pid=os.getpid(),
            lease=self._lease,
            queues=sorted(queues),
        )
        self._registered = queues
