"""What a database driver says when it cannot go on, in one clear line."""

from __future__ import annotations

import re

from sqlalchemy import Engine
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolExhausted

from taskcfg.errors import DatabaseUnavailable, InvalidSettings, SchemaMismatch, TaskcfgError

UPGRADE_HINT = "run `taskcfg db upgrade`"
_NO_SCHEMA = re.compile(r"no such (table|column)|(relation|column) .* does not exist")
_BAD_URL = re.compile(r"invalid (?:dsn|connection option|URI)[^\n]*")
_SAID: tuple[tuple[str, str, str | None], ...] = (
    ("readonly database", "is read-only", "give this user the right to write the file and its folder"),
    ("database or disk is full", "cannot grow: the disk is full", "free some space"),
    ("No space left on device", "cannot grow: the server's disk is full", "free some space on the server"),
    ("database is locked", "is locked by another process for too long", "look for a process that hangs"),
    ("lock timeout", "is busy: a row stayed locked for too long", "try again"),
    ("deadlock detected", "is busy: two transactions waited for each other", "try again"),
    ("statement timeout", "is too slow: a statement took too long", None),
    ("idle-in-transaction timeout", "broke off: this process stood still in a transaction", None),
    ("server closed the connection", "broke off the connection", "try again"),
    ("terminating connection", "broke off the connection: it is being stopped", "try again"),
    ("unable to open database file", "cannot be opened", "does its folder exist, and may this user use it?"),
    ("disk I/O error", "cannot be read or written: the disk reports an error", "is the disk full?"),
    ("file is not a database", "is not a database", "is `database_url` right?"),
    ("disk image is malformed", "is damaged", "restore it from a backup"),
)


def broken(error: SQLAlchemyError) -> bool:
    """Say whether *error* is about the database as a whole, not about the statement and its values."""
    if isinstance(error, DBAPIError):
        whole = isinstance(error, OperationalError | InterfaceError) or error.connection_invalidated
        return whole or "file is not a database" in str(error.orig) or "malformed" in str(error.orig)
    return isinstance(error, PoolExhausted)


def timed_out(error: BaseException | None) -> bool:
    """Say whether *error* is a lock that somebody else did not give up in time."""
    return isinstance(error, OperationalError) and any(
        needle in str(error.orig) for needle in ("database is locked", "lock timeout")
    )


def translated(database: Engine, error: SQLAlchemyError) -> TaskcfgError | None:
    """Return what to raise in place of *error*; None when it is no fault of the database."""
    words = _words(error)
    if isinstance(error, DBAPIError) and _NO_SCHEMA.search(words):
        return SchemaMismatch(
            f"{shown(database)} has not the tables this version needs: {words}", hint=UPGRADE_HINT
        )
    if bad_url := _BAD_URL.search(words):
        return InvalidSettings(f"database_url: {bad_url[0]}", hint="PostgreSQL reads what follows `?`")
    if not broken(error):
        return None
    for needle, said, hint in _SAID:
        if needle in words:
            return DatabaseUnavailable(f"{shown(database)} {said}", hint=hint)
    return DatabaseUnavailable(
        f"{shown(database)} cannot be used: {words}", hint="is it running, and is `database_url` right?"
    )


def shown(database: Engine) -> str:
    """Return how a message names the database: its URL, without a password."""
    url = database.url
    if url.get_backend_name() == "sqlite":
        return f"the database {url.database}"
    return f"the database {url.set(drivername='postgresql').render_as_string(hide_password=True)}"


def _words(error: SQLAlchemyError) -> str:
    """Return what the driver said, on one line: of several addresses that were tried, the last."""
    said = str(error.orig if isinstance(error, DBAPIError) else error)
    lines = [line.strip() for line in said.splitlines() if line.strip()] or [type(error).__name__]
    failed = [line for line in lines if "failed: " in line]
    line = failed[-1].rpartition("failed: ")[2] if failed else lines[0]
    return line.removeprefix("FATAL:").removeprefix("ERROR:").strip()
