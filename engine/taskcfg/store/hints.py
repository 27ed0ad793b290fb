"""Word that something changed in the database: only ever a hint, since everybody polls as well.

On PostgreSQL it is LISTEN/NOTIFY on a connection of its own; on SQLite a counter that moves
with every commit of another connection. A connection pooler that hands out server connections
for one transaction at a time, such as PgBouncer, loses what a server says between them: LISTEN
needs a way around it, and without one there are no hints.
"""

from __future__ import annotations

import logging
import os
import select
import sqlite3
from contextlib import closing
from typing import Any, Protocol
from urllib.parse import quote
from uuid import uuid4

import psycopg2
import psycopg2.extensions
from sqlalchemy import URL, Connection, Engine, text

from taskcfg.errors import DatabaseUnavailable
from taskcfg.store.database import writing
from taskcfg.store.postgres import postgres_url

logger = logging.getLogger("taskcfg.store")

CHANNEL = "taskcfg"
POOLED = "a pooler stands before the database"
ELSEWHERE = "what is said in the database is not heard at database_direct_url: it leads to another one"
LONGEST_WORD = 2.0
"""Seconds that a word may take from one connection to another."""

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
    may have been missed. *direct_url* leads to PostgreSQL itself where *database* is reached through a
    pooler. Raises InvalidSettings for one of another kind.
    """

    def __init__(self, database: Engine, direct_url: str | None = None) -> None:
        self._database = database
        self._direct = None if direct_url is None else postgres_url(direct_url, "database_direct_url")
        self._told: str | None = None
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
        except (psycopg2.Error, sqlite3.Error, OSError, ValueError, DatabaseUnavailable) as error:
            self._lose_ear()
            if self._direct is not None:
                self._tell(f"there is no connection to database_direct_url: {_in_one_line(error)}")
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
        if self._database.dialect.name != "postgresql":
            return _SqliteEar(self._database, self._wake_read)
        connection = _connected(self._database, self._direct)
        try:
            reason = _why_deaf(self._database, connection, direct=self._direct is not None)
            if reason is None:
                self._told = None
                return _PostgresEar(connection, self._wake_read)
        except BaseException:
            connection.close()
            raise
        connection.close()
        self._tell(reason)
        return _NoEar(self._wake_read)

    def _tell(self, reason: str) -> None:
        if reason != self._told:
            logger.warning("hints.none reason=%r: changes are seen within 1 s", reason)
        self._told = reason

    def _lose_ear(self) -> None:
        self._deaf = True
        if self._ear is not None:
            self._ear.close()
            self._ear = None


def why_deaf(database: Engine, direct_url: str | None) -> str | None:
    """Say why no hints are to be had; None: they are.

    Raises DatabaseUnavailable where the way around a pooler leads nowhere, and InvalidSettings where it
    is none.
    """
    if database.dialect.name != "postgresql":
        return None
    direct = None if direct_url is None else postgres_url(direct_url, "database_direct_url")
    try:
        with closing(_connected(database, direct)) as connection:
            return _why_deaf(database, connection, direct=direct is not None)
    except psycopg2.Error as error:
        raise DatabaseUnavailable(
            f"the connection for hints cannot be made: {_in_one_line(error)}"
        ) from error


def _why_deaf(database: Engine, connection: psycopg2.extensions.connection, *, direct: bool) -> str | None:
    if not direct:
        return POOLED if _is_pooled(connection) else None
    return None if _hears(connection, database) else ELSEWHERE


def _hears(connection: psycopg2.extensions.connection, database: Engine) -> bool:
    """Say whether what is said in *database* comes to *connection*, by saying something."""
    channel = f"{CHANNEL}_{uuid4().hex}"
    with connection.cursor() as cursor:
        cursor.execute(f"LISTEN {channel}")
        with writing(database) as other:
            other.execute(text(f"NOTIFY {channel}"))
        select.select([connection], [], [], LONGEST_WORD)
        connection.poll()
        heard = any(each.channel == channel for each in connection.notifies)
        cursor.execute(f"UNLISTEN {channel}")
    connection.notifies.clear()
    return heard


def _in_one_line(error: Exception) -> str:
    return " ".join(str(error).split())


def _is_pooled(connection: psycopg2.extensions.connection) -> bool:
    """Say whether a pooler stands between: it tells its clients a process id of its own making, to cancel
    queries by (BackendKeyData of PostgreSQL's protocol)."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        (there,) = cursor.fetchone() or (None,)
    return bool(connection.info.backend_pid != there)


def _connected(database: Engine, direct: URL | None) -> psycopg2.extensions.connection:
    arguments, options = database.dialect.create_connect_args(direct or database.url)
    own = {"application_name": "taskcfg hints", "connect_timeout": 5}
    connection: psycopg2.extensions.connection = psycopg2.connect(*arguments, **{**own, **options})
    connection.autocommit = True
    return connection


class _NoEar:
    """Nothing is to be heard: everybody looks for himself, within a second."""

    def __init__(self, wake: int) -> None:
        self._wake = wake

    def heard(self, seconds: float) -> bool:
        select.select([self._wake], [], [], seconds)
        return False

    def close(self) -> None:
        """There is nothing to close."""


class _PostgresEar:
    def __init__(self, connection: psycopg2.extensions.connection, wake: int) -> None:
        self._connection: Any = connection
        self._wake = wake
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
