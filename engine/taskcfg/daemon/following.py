"""When a source that is followed is synced: at a cue of its own, and whenever somebody asks."""

from __future__ import annotations

import random
from contextlib import AbstractContextManager
from datetime import timedelta
from typing import Protocol
from uuid import UUID

from taskcfg.clock import Clock
from taskcfg.control.syncing import Synced, outcome_document
from taskcfg.daemon.reconciler import Reconciler
from taskcfg.errors import UnreachableRepository
from taskcfg.failpoints import failpoint
from taskcfg.settings import Settings
from taskcfg.source.folders import calendar_folders, environment_folders
from taskcfg.source.watcher import FolderWatcher
from taskcfg.store import leases, sync_requests
from taskcfg.store.database import Engine

LOOK = 1.0
"""Seconds between two looks at whether somebody asks for a sync."""

STAND_BY = 2.0
"""Seconds between two tries to become the one that pulls; two that do for a moment do no harm."""

RENEW = 5.0
"""Seconds before its end at which the lease is renewed."""

LONGEST_BACKOFF = timedelta(minutes=10)
JITTER = 0.1


class Cue(Protocol):
    """Says when it is time."""

    pause: float
    """Seconds from one question to the next."""

    def due(self) -> bool: ...
    def done(self, synced: Synced) -> None: ...
    def close(self) -> None: ...


class FolderCue:
    """The folder has changed, or was not looked at for long. To ask is to wait a little."""

    pause = 0.0

    def __init__(self, settings: Settings, clock: Clock) -> None:
        tasks = settings.tasks_dir
        beside = [
            each
            for each in (*calendar_folders(tasks), *environment_folders(tasks))
            if tasks.absolute() not in each.parents
        ]
        self._watcher = FolderWatcher([tasks, *beside], clock)
        self._clock = clock
        self._resync = settings.resync_interval.total_seconds()
        self._next = clock.monotonic()

    def due(self) -> bool:
        left = self._next - self._clock.monotonic()
        return left <= 0 or self._watcher.wait(min(left, LOOK))

    def done(self, synced: Synced) -> None:
        self._next = self._clock.monotonic() + self._resync

    def close(self) -> None:
        self._watcher.close()


class PullCue:
    """The interval is over, and it is on us to pull: one of the schedulers does, under a lease.

    Who cannot reach the host gives the lease to another, and tries again after longer and longer pauses.
    """

    pause = LOOK

    def __init__(self, database: Engine, node_id: UUID, settings: Settings, clock: Clock) -> None:
        self._database = database
        self._node_id = node_id
        self._name = f"git:{settings.source}"
        self._interval = settings.git_interval
        self._clock = clock
        self._lease: leases.Held | None = None
        self._next = self._asked_at = clock.monotonic()
        self._failures = 0

    def due(self) -> bool:
        return self._holds() and self._next <= self._clock.monotonic()

    def done(self, synced: Synced) -> None:
        pause = self._interval
        if isinstance(synced.error, UnreachableRepository):
            longest = max(LONGEST_BACKOFF, pause)
            pause = min(pause * 2 ** min(self._failures, 20), longest)
            self._failures += 1
            leases.release(self._database, self._name, self._node_id)
            self._lease = None
            self._asked_at = self._clock.monotonic() + self._jittered(pause)
        else:
            self._failures = 0
        self._next = self._clock.monotonic() + self._jittered(pause)

    def close(self) -> None:
        """The lease goes with all others of the scheduler."""

    def _holds(self) -> bool:
        now = self._clock.monotonic()
        if self._lease is not None and now < self._lease.until - RENEW:
            return True
        if self._lease is None and now < self._asked_at:
            return False
        self._asked_at = now + STAND_BY
        self._lease = self._acquired()
        if self._lease is None and leases.release_of_the_dead(self._database, self._name):
            self._lease = self._acquired()
        return self._lease is not None

    def _acquired(self) -> leases.Held | None:
        return leases.acquire(self._database, self._name, self._node_id, self._clock)

    @staticmethod
    def _jittered(pause: timedelta) -> float:
        return pause.total_seconds() * random.uniform(1 - JITTER, 1 + JITTER)


class Following:
    """Syncs at the cue and on request, and answers who asked."""

    def __init__(
        self, database: Engine, node_id: UUID, reconciler: Reconciler, cue: Cue, source: str
    ) -> None:
        self._database = database
        self._node_id = node_id
        self._reconciler = reconciler
        self._cue = cue
        self._source = source
        self._owed: int | None = None

    def run_once(self, resting: AbstractContextManager[None]) -> float:
        """Sync if it is time; return the seconds to wait. *resting* is what waiting is done in."""
        with resting:  # also what the host takes its time for: each thing it does is bounded by itself
            taken = sync_requests.take(self._database, self._source, self._node_id)
            self._owed = self._owed if taken is None else taken
            if self._owed is None and not self._cue.due():
                return self._cue.pause
            if self._owed is not None:
                failpoint("sync.taken")
            synced = self._reconciler.run_once()
            self._cue.done(synced)
            if self._owed is not None:
                document = outcome_document(synced, self._source)
                sync_requests.answer(self._database, self._source, self._owed, document)
                self._owed = None
        return self._cue.pause

    def close(self) -> None:
        """Break off what is under way; from another thread."""
        self._cue.close()
        self._reconciler.close()


def following(
    database: Engine, node_id: UUID, settings: Settings, reconciler: Reconciler, clock: Clock
) -> Following:
    """Return what follows the repository at `git_url`, or else the tasks folder."""
    cue: Cue = (
        FolderCue(settings, clock)
        if settings.git_url is None
        else PullCue(database, node_id, settings, clock)
    )
    return Following(database, node_id, reconciler, cue, settings.source)
