"""PostgreSQL as we use it: few connections, checked without a round trip, and bounded transactions."""

from __future__ import annotations

import os
import select
import socket
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

import psycopg2
from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url, text
from sqlalchemy.exc import ArgumentError, InvalidatePoolError

from taskcfg.errors import InvalidSettings, SchemaMismatch

OLDEST = 13
"""The oldest major version that works: the oldest that everything here was tried on."""

_KIND = "it is `postgresql://user:password@host:port/name`"

CONNECT_TIMEOUT = 5
"""Seconds to wait for a server that does not answer."""

_KEEPALIVE = {
    "keepalives_idle": 15,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 30_000,
}


@dataclass(frozen=True, slots=True)
class Limits:
    """How long one transaction may take, in seconds: a statement, a wait for a lock, standing still.

    The server ends what goes beyond, and frees the rows of a process that froze.
    """

    statement: float
    lock: float
    idle: float


FIRING = Limits(statement=10, lock=2, idle=3)
APPLYING = Limits(statement=120, lock=60, idle=60)


def open_postgres(url: URL, *, role: str, options: dict[str, Any]) -> Engine:
    """Return the Engine of a PostgreSQL database; *role* shows in `pg_stat_activity`."""
    database = create_engine(
        url.set(drivername="postgresql+psycopg2"),
        pool_size=4,
        max_overflow=8,
        pool_timeout=15,
        pool_use_lifo=True,
        connect_args={"application_name": role, "connect_timeout": CONNECT_TIMEOUT, **_KEEPALIVE},
        **options,
    )
    event.listen(database, "checkout", _check)
    return database


def postgres_url(text: str, name: str) -> URL:
    """Read the setting *name*. Raises InvalidSettings unless it is a URL of PostgreSQL."""
    try:
        url = make_url(text.replace("postgres://", "postgresql://", 1))
    except (ArgumentError, ValueError) as error:
        raise InvalidSettings(f"{name} is not a URL", hint=_KIND) from error
    if url.drivername not in ("postgresql", "postgresql+psycopg2"):
        raise InvalidSettings(f"{name}: `{url.drivername}` is not supported", hint=_KIND)
    return url


def check_server(connection: Connection) -> None:
    """Raise SchemaMismatch for a server that is older than `OLDEST`."""
    version = connection.dialect.server_version_info or (OLDEST,)
    if int(version[0]) < OLDEST:
        raise SchemaMismatch(
            f"the database is PostgreSQL {'.'.join(map(str, version))}, and taskcfg needs {OLDEST} or newer",
            hint="upgrade the server",
        )


def limit(connection: Connection, limits: Limits) -> None:
    """Bound the transaction that is open on *connection*, and only it."""
    connection.execute(
        _LIMITS,
        {
            "statement": _milliseconds(limits.statement),
            "lock": _milliseconds(limits.lock),
            "idle": _milliseconds(limits.idle),
        },
    )


@contextmanager
def committing_each(connection: Connection) -> Iterator[None]:
    """Have the server commit each statement by itself; no transaction is open yet.

    SQLAlchemy's own way to say so costs a round trip each time.
    """
    line: Any = connection.connection.driver_connection
    line.autocommit = True
    try:
        yield
    finally:
        with suppress(psycopg2.InterfaceError):  # it was closed meanwhile
            line.autocommit = False


def break_off(connections: Iterable[Any]) -> None:
    """Shut the sockets of *connections*, from any thread: whoever waits for an answer gets an error.

    A server that is frozen still acknowledges what it is sent, so that no time-out of the network
    ever ends the wait for it.
    """
    for connection in connections:
        with suppress(OSError, psycopg2.Error), socket.socket(fileno=os.dup(connection.fileno())) as line:
            line.shutdown(socket.SHUT_RDWR)


_LIMITS = text(
    "SELECT set_config('statement_timeout', :statement, true), set_config('lock_timeout', :lock, true),"
    " set_config('idle_in_transaction_session_timeout', :idle, true)"
)


def _milliseconds(seconds: float) -> str:
    return f"{max(int(seconds * 1000), 1)}"


def _check(connection: Any, record: Any, proxy: Any) -> None:
    # On an idle connection the server speaks only to say that it is closing it.
    poll = select.poll()
    poll.register(connection.fileno(), select.POLLIN | select.POLLERR | select.POLLHUP)
    if poll.poll(0):
        raise InvalidatePoolError
