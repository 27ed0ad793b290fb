"""`taskcfg up`: everything for one machine, as one command."""

from __future__ import annotations

import errno
import fcntl
import logging
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from io import FileIO
from pathlib import Path

from taskcfg.celery import make_app
from taskcfg.clock import Clock, SystemClock
from taskcfg.control.editor import refresh_schema
from taskcfg.daemon.supervisor import Supervisor
from taskcfg.errors import AlreadyRunning, DatabaseUnavailable, TaskcfgError
from taskcfg.settings import PREFIX, Settings
from taskcfg.store import schema
from taskcfg.store.database import open_database
from taskcfg.store.settings_table import check_database
from taskcfg.systemd import VARIABLES, take_notifier
from taskcfg.types.registry import types_of

logger = logging.getLogger("taskcfg.up")

PASSED_ON = ("database_url", "broker_url", "tasks_dir", "source", "env", "log_level", "log_format")
"""The settings that flags of `up` may have changed: the children are told by their environment."""

LOCK = "up.lock"

_RETRY = 2.0


def run_up(settings: Settings, program: Sequence[str]) -> int:
    """Bring the schema up to date, then run scheduler and worker until SIGINT or SIGTERM.

    *program* is how to run the taskcfg command. Returns the exit code. Raises AlreadyRunning,
    InvalidSettings, InvalidType, WrongEnvironment and SchemaMismatch before anything is started; a
    database that is away is waited for.
    """
    clock = SystemClock()
    registry = types_of(settings)
    make_app(settings, registry)
    with only_one(settings.state_folder, clock):
        refresh_schema(settings, registry)
        _upgrade(settings, clock)
        commands = {
            "scheduler": [*program, "scheduler", *(["--watch"] if settings.git_url is None else [])],
            "worker": [*program, "worker"],
        }
        environment = os.environ | {
            f"{PREFIX}{name.upper()}": str(getattr(settings, name) or "")
            for name in PASSED_ON
            if name in settings.given
        }
        take_notifier().ready()
        environment = {name: value for name, value in environment.items() if name not in VARIABLES}
        logger.info("up.started folder=%s (stop with ^C)", settings.project_root)
        code = Supervisor(
            commands,
            clock,
            folder=settings.project_root,
            environment=environment,
            out=sys.stderr,
            as_json=settings.log_format == "json",
        ).run()
        logger.info("up.stopped")
        return code


def _upgrade(settings: Settings, clock: Clock) -> None:
    database = open_database(settings.database_url, role="up")
    told = False
    try:
        while True:
            try:
                check_database(database, settings.env)
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
def only_one(folder: Path, clock: Clock) -> Iterator[None]:
    """Hold the folder's `up` for ourselves. Raises AlreadyRunning while another process does."""
    with _lock_file(folder) as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            file.seek(0)
            holder = file.read().decode("utf-8", "replace").strip() or "process unknown"
            raise AlreadyRunning(
                f"`taskcfg up` already runs for this folder ({holder})", hint="stop it first"
            ) from error
        except OSError as error:
            raise TaskcfgError(
                f"cannot lock {folder / LOCK}: {error.strerror}",
                hint="the project must lie on a file system with locks",
            ) from error
        try:
            file.truncate(0)
            file.write(f"process {os.getpid()}, since {clock.now():%Y-%m-%dT%H:%M:%SZ}".encode())
        except OSError as error:
            raise _unwritable(folder, error) from error
        yield


def _lock_file(folder: Path) -> FileIO:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        return (folder / LOCK).open("ab+", buffering=0)
    except OSError as error:
        raise _unwritable(folder, error) from error


def _unwritable(folder: Path, error: OSError) -> TaskcfgError:
    hint = "make room" if error.errno in (errno.ENOSPC, errno.EDQUOT) else "check its permissions"
    return TaskcfgError(f"cannot write to {folder}: {error.strerror}", hint=hint)
