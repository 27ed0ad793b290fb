"""The scheduler process: it materialises, publishes, reaps, and follows what changes."""

from __future__ import annotations

import gc
import logging
import os
import signal
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from types import FrameType
from typing import Any

from taskcfg.celery import make_app
from taskcfg.clock import Clock, SystemClock
from taskcfg.daemon.aside import Aside
from taskcfg.daemon.following import following
from taskcfg.daemon.health import Vitals
from taskcfg.daemon.interrupting import Interrupting
from taskcfg.daemon.loop import LONGEST_PAUSE, Outage
from taskcfg.daemon.loops import Loops
from taskcfg.daemon.membership import Membership
from taskcfg.daemon.probes import Probes
from taskcfg.daemon.reaping import Reaping, end_pauses
from taskcfg.daemon.reconciler import Reconciler
from taskcfg.daemon.retention import Retaining
from taskcfg.daemon.timekeeping import ClockWatch
from taskcfg.daemon.turns import Turns
from taskcfg.daemon.watchdog import Watchdog
from taskcfg.daemon.zones import Zones
from taskcfg.dispatch.interrupting import Interrupter
from taskcfg.dispatch.publisher import CeleryDispatcher
from taskcfg.dispatch.relay import Relay
from taskcfg.errors import BrokerUnavailable, DatabaseUnavailable, count
from taskcfg.scheduling.loop import Firing
from taskcfg.settings import Settings
from taskcfg.spec.fires import Outgoing
from taskcfg.store import leases, schema
from taskcfg.store.database import Engine, break_off, open_database
from taskcfg.store.firing import EventFiring
from taskcfg.store.hints import Hints
from taskcfg.store.ids import new_id
from taskcfg.store.outbox import EventOutbox
from taskcfg.store.settings_table import Identity
from taskcfg.systemd import take_notifier
from taskcfg.types.registry import types_of

logger = logging.getLogger("taskcfg.scheduler")

HINT_WAIT = 1.0
LOOP_PATIENCE = 8.0
"""Seconds the loops get to finish their steps when the process stops."""

ENDING_PATIENCE = 28.0
"""Seconds all of stopping may take, whoever does not answer."""

UNTIL_TRUSTED = 1.0
"""Seconds until what decides by the database's clock asks again whether it is trusted."""

_TICK = 0.2


def run_scheduler(settings: Settings, *, watch: bool = False, once: bool = False) -> int:
    """Run a scheduler in this process until SIGTERM or SIGINT; return the exit code.

    *watch* follows the task files too; where `git_url` is set, it is the repository that is followed in any
    case. *once* makes passes until nothing is due and nothing is
    left to publish, and returns; then it raises BrokerUnavailable when some could not be published.
    Raises SchemaMismatch, WrongEnvironment, InvalidType and InvalidSettings at the start; a database or
    broker that is away is waited for, but not with *once*.
    """
    scheduler = Scheduler(settings, SystemClock(), follow=watch or settings.git_url is not None)
    return scheduler.run_once() if once else scheduler.run()


class Scheduler:
    """One node among any number: what it is made of, and the loops that run it."""

    def __init__(self, settings: Settings, clock: Clock, *, follow: bool) -> None:
        registry = types_of(settings)
        self._settings = settings
        self._clock = clock
        self._stopping = False
        self._joined_at: float | None = None
        self._good_pass_at: float | None = None
        self._outage = Outage()
        self._node_id = new_id()
        self._database = open_database(settings.database_url, role="scheduler")
        self._membership = Membership(
            self._database, self._node_id, settings.scheduler_lease, settings.source if follow else None
        )
        app = make_app(settings, registry)
        self._dispatcher = _dispatcher(app, settings, self._database)
        self._watch = ClockWatch(clock)
        self._outbox = EventOutbox(self._database, self._node_id, self._watch)
        self._relay = Relay(self._outbox, self._dispatcher, clock)
        self._firing = Firing(EventFiring(self._database, self._node_id, self._watch), clock, self._offer)
        self._reaping = Reaping(self._database, self._node_id, settings.unclaimed_after, clock, self._watch)
        self._retaining = (
            None
            if settings.retention is None
            else Retaining(self._database, self._node_id, settings.retention, clock, self._watch)
        )
        self._interrupting = Interrupting(self._database, self._node_id, Interrupter(app), clock)
        self._turns = Turns(self._database)
        self._zones = Zones(self._database)
        self._hints = Hints(self._database, settings.database_direct_url)
        self._reconciler = Reconciler(self._database, settings, registry, clock) if follow else None
        self._following = (
            None
            if self._reconciler is None
            else following(self._database, self._node_id, settings, self._reconciler, clock)
        )
        self._loops = Loops(self._steps(), self._outage, clock)

    def run(self) -> int:
        signal.signal(signal.SIGTERM, self._stop)
        signal.signal(signal.SIGINT, self._stop)
        notifier = take_notifier()
        watchdog = Watchdog(self.vitals, notifier, self._clock, lambda: break_off(self._database))
        with self._listening(watchdog):
            self._start(watchdog)
            code = self._look_after(watchdog)
            notifier.stopping()
            self._end()
        logger.info("scheduler.stopped node=%s", self._node_id)
        return code

    def vitals(self) -> Vitals:
        """Return what there is to see of this scheduler, from any thread."""
        good, joined, now = self._good_pass_at, self._joined_at, self._clock.monotonic()
        return Vitals(
            joined=joined is not None,
            stopping=self._stopping,
            last_pass=min(self._firing.seconds_since_pass(), 0.0 if joined is None else now - joined),
            last_good_pass=None if good is None else now - good,
            dead=self._loops.dead(),
            busy=self._loops.busy(),
            database=self._outage.reason,
            broker=self._relay.broker_away_for(),
            clock_doubted=self._watch.doubts,
        )

    def run_once(self) -> int:
        schema.check_for(self._database, self._settings.env)
        self._membership.register()
        if self._reconciler is not None and self._reconciler.run_once().problems:
            self._close()
            return 1
        self._zones.run_once()
        end_pauses(self._database)
        while self._firing.run_once() == 0:
            self._relay.run_once()
        self._turns.run_once()
        while self._relay.run_once().sent:
            self._turns.run_once()
        left, reason = self._outbox.unpublished()
        self._close()
        if left:
            raise BrokerUnavailable(
                f"{count(left, 'fire')} could not be published: {reason or 'the broker is away'}",
                hint="nothing is lost: run it again, or have a scheduler running, when the broker is back",
            )
        return 0

    def _steps(self) -> dict[str, Callable[[], float]]:
        steps = {
            "membership": self._membership.renew,
            "relay": self._publish,
            "firing": self._fire,
            "hints": self._listen,
            "reaper": self._reaping.run_once,
            "interrupter": self._interrupting.run_once,
            "turns": self._turns.run_once,
            "zones": self._follow_zones,
        }
        if self._retaining is not None:
            steps["retention"] = self._retaining.run_once
        if self._reconciler is not None:
            steps["reconciler"] = self._follow_files
        return steps

    @contextmanager
    def _listening(self, watchdog: Watchdog) -> Iterator[None]:
        """Answer probes meanwhile, where a port is set. Raises TaskcfgError where it cannot be had."""
        if self._settings.metrics_port is None:
            yield
            return
        probes = Probes(self._settings.metrics_host, self._settings.metrics_port, watchdog.vitals)
        try:
            yield
        finally:
            probes.close()

    def _start(self, watchdog: Watchdog) -> None:
        """Join the schedulers of the database, and start the loops. Raises what `_join` raises."""
        joining = Aside("start", self._join)
        while not joining.ended_within(_TICK):
            if self._stopping:
                return
            watchdog.look()
        if self._stopping:
            return
        gc.freeze()  # the libraries stay: in a burst the collector would walk them again and again
        self._loops.start()
        logger.info("scheduler.started node=%s pid=%d", self._node_id, os.getpid())

    def _join(self) -> None:
        """Check the schema and register, waiting for a database that is away."""
        pause = 0.5
        while not self._stopping:
            try:
                schema.check_for(self._database, self._settings.env)
                self._membership.register()
            except DatabaseUnavailable as error:
                self._outage.began("start", error)
                self._clock.sleep(pause)
                pause = min(pause * 2, LONGEST_PAUSE)
            else:
                self._outage.ended("start")
                self._joined_at = self._clock.monotonic()
                return

    def _look_after(self, watchdog: Watchdog) -> int:
        """Wait for a signal; return 1 when a loop has died or is stuck, for a supervisor to start anew."""
        while not self._stopping:
            dead = watchdog.look()
            if dead:
                logger.critical("scheduler.stuck reason=%r", "; ".join(dead))
                return 1
            self._clock.sleep(_TICK)
        return 0

    def _stop(self, signum: int, frame: FrameType | None) -> None:
        if self._stopping:
            os._exit(0)  # told twice: what it owns is free for others when its lease ends
        self._stopping = True

    def _offer(self, fires: Sequence[Outgoing]) -> None:
        self._relay.offer(fires)
        self._loops.wake("relay")

    def _fire(self) -> float:
        pause = self._firing.run_once()
        self._good_pass_at = self._clock.monotonic()
        return pause

    def _publish(self) -> float:
        return self._relay.run_once().wait

    def _listen(self) -> float:
        """Wait for word that somebody changed something, and have the others look at once."""
        if self._hints.wait(HINT_WAIT):
            self._relay.hint()
            self._loops.wake("firing", "relay", "interrupter", "turns")
        return 0.0

    def _follow_zones(self) -> float:
        return UNTIL_TRUSTED if self._watch.doubts else self._zones.run_once()

    def _follow_files(self) -> float:
        if self._following is None or self._watch.doubts:
            return UNTIL_TRUSTED  # an apply records what is due before it changes a task
        return self._following.run_once(self._loops["reconciler"].resting())

    def _end(self) -> None:
        """Stop within `ENDING_PATIENCE`, whatever does not answer: then what is left is left to others."""
        self._stopping = True
        ending = Aside("end", self._close)
        deadline = self._clock.monotonic() + ENDING_PATIENCE
        while not ending.ended_within(_TICK):
            if self._clock.monotonic() > deadline:
                logger.warning("scheduler.cut_short: what it owns is free for others when its lease ends")
                return

    def _close(self) -> None:
        """Finish what is under way, first what makes new work; publish what is recorded; sign off."""
        self._stopping = True
        if self._following is not None:
            self._following.close()
        self._hints.wake()
        last = ("relay", "membership")
        stuck = self._loops.stop([name for name in self._loops.names if name not in last], LOOP_PATIENCE)
        if stuck:
            logger.warning("database.silent loops=%r: its connections are broken off", ", ".join(stuck))
            break_off(self._database)
        if not self._loops.stop(["relay"], LOOP_PATIENCE):
            self._drain()
        self._loops.stop(["membership"], LOOP_PATIENCE)
        self._firing.close()
        self._relay.close()
        try:
            leases.release_all(self._database, self._node_id)
            self._membership.end()
        except DatabaseUnavailable as error:
            logger.warning("scheduler.unsigned reason=%r", error.message)
        self._hints.close()
        self._database.dispose()

    def _drain(self) -> None:
        """Publish what is recorded and ours; what cannot be sent now is given back with our signature."""
        deadline = self._clock.monotonic() + LOOP_PATIENCE
        try:
            while self._joined_at and self._clock.monotonic() < deadline and self._relay.run_once().sent:
                continue
        except DatabaseUnavailable as error:
            logger.warning("relay.undrained reason=%r", error.message)


def _dispatcher(app: Any, settings: Settings, database: Engine) -> CeleryDispatcher:
    return CeleryDispatcher(
        app,
        database=Identity(database),
        confirm_timeout=settings.confirm_timeout.total_seconds(),
        largest=settings.max_message_size,
    )
