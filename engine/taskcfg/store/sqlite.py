"""SQLite as we use it: WAL, foreign keys, and transactions that say at once whether they write."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, Engine, QueuePool, create_engine, event

from taskcfg.clock import SystemClock
from taskcfg.errors import DatabaseUnavailable, InvalidSettings

BUSY_TIMEOUT = 15.0
"""Seconds a transaction waits for another process's to end."""

BEGIN = "taskcfg_begin"
"""The execution option that names the statement a transaction starts with; BEGIN by default."""

PATIENCE = "taskcfg_patience"
"""The execution option that says how many seconds BEGIN IMMEDIATE waits, if not `BUSY_TIMEOUT`."""


def open_sqlite(url: URL, *, options: dict[str, Any]) -> Engine:
    """Return the Engine of a SQLite file; its folder is made where it is missing."""
    if not url.database or url.database == ":memory:":
        raise InvalidSettings(
            "database_url: taskcfg needs SQLite in a file, since several processes share it"
        )
    _make_folder(Path(url.database).parent)
    database = create_engine(
        url.set(drivername="sqlite"),
        poolclass=QueuePool,
        pool_size=4,
        max_overflow=8,
        pool_timeout=BUSY_TIMEOUT,
        connect_args={"timeout": BUSY_TIMEOUT, "isolation_level": None, "check_same_thread": False},
        **options,
    )
    event.listen(database, "connect", _set_up)
    event.listen(database, "begin", _begin)
    return database


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DatabaseUnavailable(
            f"the folder of the database, {folder}, cannot be made: {error.strerror}"
        ) from error


def _set_up(connection: sqlite3.Connection, record: Any) -> None:
    # `synchronous` stays FULL: a fire that went to the broker must still be recorded after a power cut.
    connection.execute("PRAGMA foreign_keys = ON")
    clock = SystemClock()
    deadline = clock.monotonic() + BUSY_TIMEOUT
    while connection.execute("PRAGMA journal_mode").fetchone()[0] != "wal":
        try:
            connection.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError as error:
            # Two processes that create the file at once: the change to WAL does not wait by itself.
            if "locked" not in str(error) or clock.monotonic() > deadline:
                raise
            clock.sleep(0.01)


def _begin(connection: Connection) -> None:
    # Python's sqlite3 begins by itself only before a write, which is too late to keep others out.
    options = connection.get_execution_options()
    statement, patience = options.get(BEGIN, "BEGIN"), options.get(PATIENCE)
    if patience is None:
        connection.exec_driver_sql(statement)
        return
    connection.exec_driver_sql(f"PRAGMA busy_timeout = {int(patience * 1000)}")
    try:
        connection.exec_driver_sql(statement)
    finally:
        connection.exec_driver_sql(f"PRAGMA busy_timeout = {int(BUSY_TIMEOUT * 1000)}")
