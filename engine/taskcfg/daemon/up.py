"""`taskcfg up`: everything for one machine, as one command."""

from __future__ import annotations

import fcntl
import logging
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from taskcfg.celery import make_app
from taskcfg.clock import Clock, SystemClock
from taskcfg.daemon.supervisor import Supervisor
from taskcfg.errors import AlreadyRunning, DatabaseUnavailable, TaskcfgError
from taskcfg.settings import PREFIX, Settings
from taskcfg.store import schema
from taskcfg.store.database import open_database
from taskcfg.types.registry import types_of

logger = logging.getLogger("taskcfg.up")

PASSED_ON = ("database_url", "broker_url", "tasks_dir", "source", "log_level")
"""The settings that flags of `up` may have changed: the children are told by their environment."""

_RETRY = 2.0


def run_up(settings: Settings, program: Sequence[str]) -> int:
    """Bring the schema up to date, then run scheduler and worker until SIGINT or SIGTERM.

    *program* is how to run the taskcfg command. Returns the exit code. Raises AlreadyRunning,
    InvalidSettings, InvalidType and SchemaMismatch before anything is started; a database that is away is
    waited for.
    """
    clock = SystemClock()
    make_app(settings, types_of(settings))
    with only_one(settings.state_folder):
        _upgrade(settings, clock)
        commands = {
            "scheduler": [*program, "scheduler", "--watch"],
            "worker": [*program, "worker"],
        }
        environment = os.environ | {
            f"{PREFIX}{name.upper()}": str(getattr(settings, name))
            for name in PASSED_ON
            if name in settings.given
        }
        logger.info("up.started folder=%s (stop with ^C)", settings.project_root)
        code = Supervisor(
            commands, clock, folder=settings.project_root, environment=environment, out=sys.stderr
        ).run()
        logger.info("up.stopped")
        return code


def _upgrade(settings: Settings, clock: Clock) -> None:
    database = open_database(settings.database_url, role="up")
    told = False
    try:
        while True:
            try:
                schema.upgrade(database)
            except DatabaseUnavailable as error:
                if database.dialect.name == "sqlite":
                    raise
                if not told:
                    logger.error("database.unavailable reason=%r", error.message)
                told = True
                clock.sleep(_RETRY)
            else:
                return
    finally:
        database.dispose()


@contextmanager
def only_one(folder: Path) -> Iterator[None]:
    """Hold the folder's `up` for ourselves. Raises AlreadyRunning while another process does."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        file = (folder / "up.lock").open("a+")
    except OSError as error:
        raise TaskcfgError(
            f"cannot write to {folder}: {error.strerror}", hint="check its permissions"
        ) from error
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            file.seek(0)
            pid = file.read().strip() or "unknown"
            raise AlreadyRunning(
                f"`taskcfg up` already runs for this folder (process {pid})", hint="stop it first"
            ) from error
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        yield
