"""`taskcfg worker`: a Celery worker in this process."""

from __future__ import annotations

import logging
import socket
from collections.abc import Sequence
from typing import Any
from uuid import uuid4

from celery import signals

from taskcfg.celery.accepting import AcceptingConsumer
from taskcfg.celery.app import VISIBILITY, make_app, transport_options
from taskcfg.celery.install import install
from taskcfg.celery.quiet import quieten
from taskcfg.celery.stopping import Stopping
from taskcfg.clock import SystemClock
from taskcfg.errors import DatabaseUnavailable
from taskcfg.settings import Settings
from taskcfg.store import schema
from taskcfg.store.database import open_database
from taskcfg.store.queues import longest_timeout
from taskcfg.systemd import take_notifier
from taskcfg.types.registry import types_of

logger = logging.getLogger("taskcfg.worker")

PAUSE = 0.5
"""Seconds between two tries at a database that is away when the worker starts."""


def run_worker(
    settings: Settings,
    *,
    queues: Sequence[str] | None = None,
    concurrency: int | None = None,
    pool: str | None = None,
) -> int:
    """Run a worker of the app of *settings* in this process until it is told to stop; return its exit code.

    *pool* is prefork, or with an app of the user's own what that says, and so is *concurrency*.
    Without *queues* (here or in *settings*) it serves the app's default queue and every queue that
    a live task names. Raises InvalidType, InvalidSettings, WrongEnvironment and SchemaMismatch at the
    start; a database or broker that is away is waited for.
    """
    notifier = take_notifier()
    stopping = Stopping(notifier)
    stopping.before_start()
    registry = types_of(settings)
    for _ in registry:
        continue  # imports every type, so that its faults show now, and pool processes share its memory
    app = make_app(settings, registry)
    longest = _await_schema(settings)
    if settings.celery_app is None:
        visible = max(VISIBILITY, 2 * longest)
        app.conf.broker_transport_options = transport_options(settings.broker_url, visible)
    wanted = tuple(queues or settings.queues)
    installation = install(app, settings, serve_all=not wanted)
    signals.worker_ready.connect(lambda **_: notifier.ready(), weak=False)
    quieten(app, theirs=settings.celery_app is not None)
    worker = app.Worker(queues=list(wanted) or None, **_options(settings, concurrency, pool))
    return stopping.run(worker, installation)


def _await_schema(settings: Settings) -> float:
    """Check the schema, as soon as the database is there: nothing may run unrecorded.

    Return the longest `timeout` of the live tasks, in seconds.
    """
    clock, away = SystemClock(), False
    database = open_database(settings.database_url, role="worker")
    while True:
        try:
            schema.check_for(database, settings.env)
            longest = longest_timeout(database)
        except DatabaseUnavailable as error:
            if not away:
                logger.error("database.unavailable reason=%r", error.message)
            away = True
            clock.sleep(PAUSE)
        else:
            database.dispose()
            return longest


def _options(settings: Settings, concurrency: int | None, pool: str | None) -> dict[str, Any]:
    theirs = settings.celery_app is not None
    if concurrency is None and (not theirs or "concurrency" in settings.given):
        concurrency = settings.concurrency
    return {
        # A name of its own: Celery's workers of one name refuse each other, on one host or in
        # containers that share a host's name.
        "hostname": f"taskcfg-{uuid4().hex[:8]}@{socket.gethostname()}",
        "concurrency": concurrency,
        "consumer_cls": AcceptingConsumer,
        "pool": pool or (None if theirs else "prefork"),
        "quiet": True,
        # What others watch a user's own workers by, and what these tell each other, is theirs.
        "without_gossip": not theirs,
        "without_heartbeat": not theirs,
        "without_mingle": not theirs,
    }
