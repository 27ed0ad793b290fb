"""Word that something changed in the database: only ever a hint, since everybody polls as well.

On PostgreSQL it is LISTEN/NOTIFY on a connection of its own; on SQLite a counter that moves
with every commit of another connection.
"""

from __future__ import annotations

import logging
import os
import select
import sqlite3
from typing import Protocol
from urllib.parse import quote

import psycopg2
from sqlalchemy import Connection, Engine, text

logger = logging.getLogger("taskcfg.store")

CHANNEL = "taskcfg"
SQLITE_POLL = 0.02
"""Seconds between two looks at SQLite's counter; a look costs some microseconds."""

_NOTIFY = text(f"NOTIFY {CHANNEL}")


def notify(connection: Connection) -> None:
    """Have everybody who waits look, once this transaction is committed."""
    if connection.dialect.name == "postgresql":
        connection.execute(_NOTIFY)


class _Ear(Protocol):
    def heard(self, seconds: float) -> bool: ...
    def close(self) -> None: ...


class Hints:
    """Waits for hints. It never raises for the database's sake: without one it only waits.

    After a connection was lost, the next wait that has one again returns True, since something
    may have been missed.
    """

    def __init__(self, database: Engine) -> None:
        self._database = database
        self._ear: _Ear | None = None
        self._deaf = True
        self._wake_read, self._wake_write = os.pipe()
        os.set_blocking(self._wake_write, False)

    def wait(self, seconds: float) -> bool:
        """Wait at most *seconds*; True: look now. Returns early when `wake` is called, too."""
        try:
            if self._ear is None:
                self._ear = self._listen()
            missed, self._deaf = self._deaf, False
            return missed or self._ear.heard(seconds)
        except (psycopg2.Error, sqlite3.Error, OSError, ValueError):
            self._lose_ear()
            select.select([self._wake_read], [], [], seconds)
            return False

    def wake(self) -> None:
        """Cut the wait short, from whichever thread."""
        os.write(self._wake_write, b"!")

    def close(self) -> None:
        self._lose_ear()
        os.close(self._wake_read)
        os.close(self._wake_write)

    def _listen(self) -> _Ear:
        if self._database.dialect.name == "postgresql":
            return _PostgresEar(self._database, self._wake_read)
        return _SqliteEar(self._database, self._wake_read)

    def _lose_ear(self) -> None:
        self._deaf = True
        if self._ear is not None:
            self._ear.close()
            self._ear = None


class _PostgresEar:
    def __init__(self, database: Engine, wake: int) -> None:
        arguments, options = database.dialect.create_connect_args(database.url)
        own = {"application_name": "taskcfg hints", "connect_timeout": 5}
        self._connection = psycopg2.connect(*arguments, **{**own, **options})
        self._wake = wake
        self._connection.autocommit = True
        with self._connection.cursor() as cursor:
            cursor.execute(f"LISTEN {CHANNEL}")

    def heard(self, seconds: float) -> bool:
        ready, _, _ = select.select([self._connection, self._wake], [], [], seconds)
        if self._connection not in ready:
            return False
        self._connection.poll()
        heard = bool(self._connection.notifies)
        self._connection.notifies.clear()
        return heard

    def close(self) -> None:
        self._connection.close()


class _SqliteEar:
    def __init__(self, database: Engine, wake: int) -> None:
        file = f"file:{quote(str(database.url.database))}?mode=ro"
        # It is closed by the thread that ends the process, not by the one that listens.
        self._connection = sqlite3.connect(file, uri=True, isolation_level=None, check_same_thread=False)
        self._wake = wake
        self._seen = self._version()

    def heard(self, seconds: float) -> bool:
        for _ in range(max(int(seconds / SQLITE_POLL), 1)):
            if (version := self._version()) != self._seen:
                self._seen = version
                return True
            ready, _, _ = select.select([self._wake], [], [], SQLITE_POLL)
            if ready:
                return False
        return False

    def close(self) -> None:
        self._connection.close()

    def _version(self) -> int:
        version: int = self._connection.execute("PRAGMA data_version").fetchone()[0]
        return version
