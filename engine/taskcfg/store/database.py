"""The door to the database: one SQLAlchemy Engine, named `database`, and the transactions we use.

Every fault of the database itself comes out of these transactions as DatabaseUnavailable.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Engine, func, make_url, select
from sqlalchemy.exc import ArgumentError, SQLAlchemyError

from taskcfg.clock import SystemClock
from taskcfg.errors import DatabaseUnavailable, InvalidSettings, LockTimeout
from taskcfg.spec.task import canonical_json
from taskcfg.store import postgres, sqlite
from taskcfg.store.columns import db_now
from taskcfg.store.forks import after_fork, in_use, keep_from_forks, open_connections
from taskcfg.store.lock_holder import APPLY_LOCK, held_by, lock_holder
from taskcfg.store.postgres import Limits
from taskcfg.store.unavailable import timed_out, translated

__all__ = [
    "Connection",
    "Engine",
    "after_fork",
    "applying",
    "database_time",
    "open_database",
    "reading",
    "single_statement",
    "writing",
]


def open_database(url: str, *, role: str) -> Engine:
    """Return the Engine for *url* (`sqlite:///…` or `postgresql://…`); it connects when first used.

    *role* says who we are, for whoever looks at the server's connections. Raises
    InvalidSettings for a URL of another kind, and DatabaseUnavailable when SQLite's folder
    cannot be made.
    """
    try:
        parsed = make_url(url.replace("postgres://", "postgresql://", 1))
    except (ArgumentError, ValueError) as error:
        raise InvalidSettings("database_url is not a URL", hint=_KINDS) from error
    options: dict[str, Any] = {"json_serializer": canonical_json}
    match parsed.drivername:
        case "sqlite" | "sqlite+pysqlite":
            database = sqlite.open_sqlite(parsed, options=options)
        case "postgresql" | "postgresql+psycopg2":
            database = postgres.open_postgres(parsed, role=role, options=options)
        case other:
            raise InvalidSettings(f"database_url: `{other}` is not supported", hint=_KINDS)
    keep_from_forks(database)
    return database


_KINDS = "it is `sqlite:///file.db` or `postgresql://user:password@host:port/name`"


def break_off(database: Engine) -> None:
    """Have every transaction under way in this process fail with DatabaseUnavailable, at once.

    For a server that has stopped answering; SQLite is never waited for longer than a lock.
    """
    if database.dialect.name == "postgresql":
        postgres.break_off(open_connections(database))


@contextmanager
def reading(database: Engine) -> Iterator[Connection]:
    """A transaction that only reads. Raises DatabaseUnavailable, SchemaMismatch."""
    with _transaction(database, "BEGIN") as connection:
        yield connection


@contextmanager
def writing(database: Engine, limits: Limits | None = None) -> Iterator[Connection]:
    """A transaction that writes: committed at the end, rolled back by any exception.

    On SQLite it holds the only write lock from its start. On PostgreSQL *limits* bound it.
    Raises DatabaseUnavailable, SchemaMismatch.
    """
    with _transaction(database, "BEGIN IMMEDIATE") as connection:
        if limits is not None and connection.dialect.name == "postgresql":
            postgres.limit(connection, limits)
        yield connection


@contextmanager
def single_statement(database: Engine) -> Iterator[Connection]:
    """A connection whose every statement is a transaction of its own: one round trip, not three.

    On PostgreSQL. Raises DatabaseUnavailable, SchemaMismatch.
    """
    with _transaction(database, "BEGIN") as connection, postgres.committing_each(connection):
        yield connection


def database_time(connection: Connection) -> datetime:
    """Return the time by the database's clock, which alone decides what is due.

    It stands still within a transaction: what is due, and what comes next, are asked of the same
    instant, so that no nominal time falls between two questions.
    """
    known: datetime | None = connection.get_execution_options().get(_NOW)
    if known is None:
        known = connection.execute(select(db_now())).scalar_one()
        connection.execution_options(**{_NOW: known})
    return known


_NOW = "taskcfg_now"


@contextmanager
def applying(database: Engine, timeout_seconds: float, by: str = "somebody") -> Iterator[Connection]:
    """A writing transaction under the apply lock, which no two applies hold at once.

    *by* is who applies, for whoever waits meanwhile. Raises LockTimeout, which names the holder, when
    another holds it for longer than *timeout_seconds*, and what `writing` raises.
    """
    lock = _applying_sqlite if database.dialect.name == "sqlite" else _applying_postgres
    with ExitStack() as stack:
        try:
            connection = stack.enter_context(lock(database, timeout_seconds))
        except DatabaseUnavailable as error:
            if not timed_out(error.__cause__):
                raise
            raise LockTimeout(timeout_seconds, _holder(database)) from error
        stack.enter_context(held_by(connection, by))
        yield connection


def _holder(database: Engine) -> str | None:
    with suppress(SQLAlchemyError):
        holder = lock_holder(database)
        return None if holder is None else str(holder)
    return None


def _applying_sqlite(database: Engine, timeout_seconds: float) -> AbstractContextManager[Connection]:
    return _transaction(database, "BEGIN IMMEDIATE", {sqlite.PATIENCE: timeout_seconds})


@contextmanager
def _applying_postgres(database: Engine, timeout_seconds: float) -> Iterator[Connection]:
    clock = SystemClock()
    deadline = clock.monotonic() + timeout_seconds
    while True:
        patience = max(deadline - clock.monotonic(), 0.0)
        limits = Limits(statement=patience + 60, lock=patience, idle=postgres.APPLYING.idle)
        with writing(database, limits) as connection:
            if connection.scalar(select(func.pg_try_advisory_xact_lock(APPLY_LOCK))):
                postgres.limit(connection, postgres.APPLYING)
                yield connection
                return
            # Whoever waited starts anew: the transaction's time is that of its start.
            connection.execute(select(func.pg_advisory_xact_lock(APPLY_LOCK)))


@contextmanager
def _transaction(
    database: Engine, begin: str, options: Mapping[str, Any] | None = None
) -> Iterator[Connection]:
    try:
        with in_use(database), database.connect() as connection:
            connection.execution_options(**{sqlite.BEGIN: begin, **(options or {})})
            with connection.begin():
                yield connection
    except SQLAlchemyError as error:
        meant = translated(database, error)
        if meant is None:
            raise
        raise meant from error
