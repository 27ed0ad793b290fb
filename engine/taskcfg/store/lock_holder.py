"""Who holds the apply lock, so that whoever waits for it in vain knows whom to ask."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from sqlalchemy import Connection, Engine, text

from taskcfg.clock import SystemClock
from taskcfg.spec.instants import rfc3339

APPLY_LOCK = 7_450_219_001
"""The key of PostgreSQL's advisory lock that an apply holds."""

_LONGEST_NAME = 63
"""Bytes that PostgreSQL keeps of an `application_name`."""

_PREFIX = "taskcfg apply: "


@dataclass(frozen=True, slots=True)
class LockHolder:
    """Who holds it, and since when; each None where the database does not tell."""

    by: str | None
    since: datetime | None

    def __str__(self) -> str:
        since = "" if self.since is None else f", since {rfc3339(self.since)}"
        return f"{self.by or 'somebody whose name we may not see'}{since}"


@contextmanager
def held_by(connection: Connection, by: str) -> Iterator[None]:
    """Tell others, as long as the transaction of *connection* lasts, that *by* holds the lock."""
    if connection.dialect.name == "postgresql":
        name = f"{_PREFIX}{by}".encode()[:_LONGEST_NAME].decode(errors="ignore")
        connection.execute(text("SELECT set_config('application_name', :name, true)"), {"name": name})
        yield
        return
    note = _note(connection.engine)
    told = {"by": by, "pid": os.getpid(), "since": SystemClock().now().isoformat()}
    with suppress(OSError):  # nobody depends on it
        note.write_text(json.dumps(told), encoding="utf-8")
    try:
        yield
    finally:
        with suppress(OSError):
            note.unlink()


def lock_holder(database: Engine) -> LockHolder | None:
    """Return who holds the lock now; None when nobody does, or nobody told. Raises what connecting does."""
    if database.dialect.name == "postgresql":
        with database.connect() as connection:
            row = connection.execute(_HOLDER, {"key": APPLY_LOCK}).first()
        if row is None:
            return None
        name = row.application_name or ""
        return LockHolder(name.removeprefix(_PREFIX) or None, row.xact_start)
    return _noted(_note(database))


_HOLDER = text(
    "SELECT application_name, xact_start FROM pg_locks JOIN pg_stat_activity USING (pid)"
    " WHERE locktype = 'advisory' AND granted AND objsubid = 1"
    " AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
    " AND (classid::bigint << 32) + objid::bigint = :key"
)


def _note(database: Engine) -> Path:
    return Path(f"{database.url.database}.applying")


def _noted(note: Path) -> LockHolder | None:
    try:
        told = json.loads(note.read_text(encoding="utf-8"))
        holder, pid = LockHolder(str(told["by"]), datetime.fromisoformat(told["since"])), int(told["pid"])
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return holder if _is_alive(pid) else None  # one that was killed could not take its note away


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
