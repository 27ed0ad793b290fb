"""The scheduler process: it materialises, publishes, reaps, and follows what changes."""

from __future__ import annotations

import gc
import logging
import os
import signal
from collections.abc import Sequence
from pathlib import Path
from types import FrameType

from taskcfg.celery import make_app
from taskcfg.clock import Clock, SystemClock
from taskcfg.daemon.interrupting import Interrupting
from taskcfg.daemon.loop import LONGEST_PAUSE, Loop, Outage
from taskcfg.daemon.membership import Membership
from taskcfg.daemon.reaping import Reaping, end_pauses
from taskcfg.daemon.reconciler import Reconciler
from taskcfg.daemon.zones import Zones
from taskcfg.dispatch.interrupting import Interrupter
from taskcfg.dispatch.publisher import CeleryDispatcher
from taskcfg.dispatch.relay import Relay
from taskcfg.errors import BrokerUnavailable, DatabaseUnavailable, count
from taskcfg.scheduling.loop import Firing
from taskcfg.settings import Settings
from taskcfg.source.folders import calendar_folders
from taskcfg.source.watcher import FolderWatcher
from taskcfg.spec.fires import Outgoing
from taskcfg.store import leases, schema
from taskcfg.store.database import break_off, open_database
from taskcfg.store.firing import EventFiring
from taskcfg.store.hints import Hints
from taskcfg.store.ids import new_id
from taskcfg.store.outbox import EventOutbox
from taskcfg.types.registry import types_of

logger = logging.getLogger("taskcfg.scheduler")

HINT_WAIT = 1.0
LOOP_PATIENCE = 10.0
"""Seconds a loop gets to finish its step when the process stops."""

FROZEN_AFTER = 20.0
"""Seconds without a pass after which the database is taken to be frozen: longer than it lets any
statement of a pass take."""

STUCK_AFTER = 60.0
"""Seconds without a pass after which the process ends itself, for its supervisor to start anew."""

_TICK = 0.2


def run_scheduler(settings: Settings, *, watch: bool = False, once: bool = False) -> int:
    """Run a scheduler in this process until SIGTERM or SIGINT; return the exit code.

    *watch* follows the task files too. *once* makes passes until nothing is due and nothing is
    left to publish, and returns; then it raises BrokerUnavailable when some could not be published.
    Raises SchemaMismatch, InvalidType and InvalidSettings at the start; a database or broker that
    is away is waited for, but not with *once*.
    """
    scheduler = Scheduler(settings, SystemClock(), watch=watch)
    return scheduler.run_once() if once else scheduler.run()


class Scheduler:
    """One node among any number: what it is made of, and the loops that run it."""

    def __init__(self, settings: Settings, clock: Clock, *, watch: bool) -> None:
        registry = types_of(settings)
        self._clock = clock
        self._stopping = False
        self._outage = Outage()
        self._node_id = new_id()
        self._database = open_database(settings.database_url, role="scheduler")
        self._membership = Membership(self._database, self._node_id, settings.scheduler_lease)
        app = make_app(settings, registry)
        self._dispatcher = CeleryDispatcher(app, confirm_timeout=settings.confirm_timeout.total_seconds())
        self._outbox = EventOutbox(self._database, self._node_id)
        self._relay = Relay(self._outbox, self._dispatcher, clock)
        self._firing = Firing(EventFiring(self._database, self._node_id), clock, self._offer)
        self._reaping = Reaping(self._database, self._node_id, settings.unclaimed_after, clock)
        self._interrupting = Interrupting(self._database, self._node_id, Interrupter(app), clock)
        self._zones = Zones(self._database)
        self._hints = Hints(self._database)
        self._reconciler = Reconciler(self._database, settings, registry, clock) if watch else None
        self._watcher = FolderWatcher(_watched(settings.tasks_dir), clock) if watch else None
        self._resync = settings.resync_interval.total_seconds()
        self._loops = self._make_loops()

    def run(self) -> int:
        signal.signal(signal.SIGTERM, self._stop)
        signal.signal(signal.SIGINT, self._stop)
        self._join()
        if not self._stopping:
            gc.freeze()  # the libraries stay: in a burst the collector would walk them again and again
            for loop in self._loops.values():
                loop.start()
            logger.info("scheduler.started node=%s pid=%d", self._node_id, os.getpid())
        code = self._look_after()
        self._close()
        logger.info("scheduler.stopped node=%s", self._node_id)
        return code

    def run_once(self) -> int:
        schema.check(self._database)
        self._membership.register()
        if self._reconciler is not None and self._reconciler.run_once().problems:
            self._close()
            return 1
        self._zones.run_once()
        end_pauses(self._database)
        while self._firing.run_once() == 0:
            self._relay.run_once()
        while self._relay.run_once().sent:
            continue
        left, reason = self._outbox.unpublished()
        self._close()
        if left:
            raise BrokerUnavailable(
                f"{count(left, 'fire')} could not be published: {reason or 'the broker is away'}",
                hint="nothing is lost: run it again, or have a scheduler running, when the broker is back",
            )
        return 0

    def _make_loops(self) -> dict[str, Loop]:
        steps = {
            "membership": self._membership.renew,
            "relay": self._publish,
            "firing": self._fire,
            "hints": self._listen,
            "reaper": self._reaping.run_once,
            "interrupter": self._interrupting.run_once,
            "zones": self._zones.run_once,
        }
        if self._reconciler is not None:
            steps["reconciler"] = self._follow_files
        return {name: Loop(name, step, self._outage) for name, step in steps.items()}

    def _join(self) -> None:
        """Check the schema and register, waiting for a database that is away."""
        pause = 0.5
        while not self._stopping:
            try:
                schema.check(self._database)
                self._membership.register()
            except DatabaseUnavailable as error:
                self._outage.began("start", error)
                self._clock.sleep(pause)
                pause = min(pause * 2, LONGEST_PAUSE)
            else:
                self._outage.ended("start")
                return

    def _look_after(self) -> int:
        """Wait for a signal; end the process with 1 when its firing loop has died or is stuck."""
        frozen_since = 0.0
        while not self._stopping:
            self._clock.sleep(_TICK)
            silent = self._firing.seconds_since_pass()
            dead = [name for name, loop in self._loops.items() if not loop.alive]
            if dead or silent > STUCK_AFTER:
                logger.critical("scheduler.stuck dead=%s last_pass=%.0fs", dead, silent)
                return 1
            if silent > FROZEN_AFTER and self._clock.monotonic() - frozen_since > FROZEN_AFTER:
                frozen_since = self._clock.monotonic()
                logger.warning("database.silent last_pass=%.0fs: its connections are broken off", silent)
                break_off(self._database)
        return 0

    def _stop(self, signum: int, frame: FrameType | None) -> None:
        if self._stopping:
            os._exit(0)  # told twice: what it owns is free for others when its lease ends
        self._stopping = True

    def _offer(self, fires: Sequence[Outgoing]) -> None:
        self._relay.offer(fires)
        self._loops["relay"].wake()

    def _fire(self) -> float:
        return self._firing.run_once()

    def _publish(self) -> float:
        return self._relay.run_once().wait

    def _listen(self) -> float:
        """Wait for word that somebody changed something, and have the others look at once."""
        if self._hints.wait(HINT_WAIT):
            self._relay.hint()
            for name in ("firing", "relay", "interrupter"):
                self._loops[name].wake()
        return 0.0

    def _follow_files(self) -> float:
        if self._reconciler is None or self._watcher is None:
            return self._resync
        self._reconciler.run_once()
        self._watcher.wait(self._resync)
        return 0.0

    def _close(self) -> None:
        """Finish what is under way, first what makes new work; publish what is recorded; sign off."""
        self._stopping = True
        if self._watcher is not None:
            self._watcher.close()
        self._hints.wake()
        for name in ("reconciler", "zones", "firing", "reaper", "interrupter", "hints"):
            if name in self._loops:
                self._loops[name].stop(LOOP_PATIENCE)
        self._loops["relay"].stop(LOOP_PATIENCE)
        self._loops["membership"].stop(LOOP_PATIENCE)
        self._firing.close()
        self._relay.close()
        try:
            leases.release_all(self._database, self._node_id)
            self._membership.end()
        except DatabaseUnavailable as error:
            logger.warning("scheduler.unsigned reason=%r", error.message)
        self._hints.close()
        self._database.dispose()


def _watched(tasks: Path) -> list[Path]:
    """Return the folders whose change is one of the tasks, each once."""
    return [tasks, *(folder for folder in calendar_folders(tasks) if tasks.absolute() not in folder.parents)]
