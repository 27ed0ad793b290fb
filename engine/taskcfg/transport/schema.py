"""The tables of the embedded broker's file, and the settings of a connection to it."""

from __future__ import annotations

import sqlite3

from taskcfg.clock import Clock

APPLICATION_ID = 0x74634246  # "tcBF": tells a broker's file from any other SQLite file
VERSION = 1
WAL_KEPT_BYTES = 16 * 1024 * 1024

# Instants in `lease_until` and `unused_since` are CLOCK_MONOTONIC: one clock for all processes
# since boot, which neither a changed wall clock nor a sleeping laptop moves. `expires_at` is
# wall time, since a message outlives a boot. AUTOINCREMENT, because a late acknowledgement
# must never meet a newer message under the same id.
TABLES = (
    """CREATE TABLE exchange (
        name TEXT PRIMARY KEY,
        type TEXT NOT NULL
    ) WITHOUT ROWID""",
    """CREATE TABLE queue (
        name TEXT PRIMARY KEY,
        auto_delete INTEGER NOT NULL,
        expires REAL,
        message_ttl REAL,
        unused_since REAL
    ) WITHOUT ROWID""",
    """CREATE TABLE binding (
        exchange TEXT NOT NULL,
        routing_key TEXT NOT NULL,
        queue TEXT NOT NULL REFERENCES queue (name) ON DELETE CASCADE,
        pattern TEXT,
        PRIMARY KEY (exchange, routing_key, queue)
    ) WITHOUT ROWID""",
    "CREATE INDEX binding_queue ON binding (queue)",
    """CREATE TABLE consumer (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        boot TEXT NOT NULL,
        namespace TEXT NOT NULL,
        pid INTEGER NOT NULL,
        started TEXT NOT NULL,
        lease_until REAL NOT NULL
    )""",
    """CREATE TABLE subscription (
        consumer INTEGER NOT NULL REFERENCES consumer (id) ON DELETE CASCADE,
        queue TEXT NOT NULL,
        PRIMARY KEY (consumer, queue)
    ) WITHOUT ROWID""",
    "CREATE INDEX subscription_queue ON subscription (queue)",
    """CREATE TABLE message (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        queue TEXT NOT NULL,
        priority INTEGER NOT NULL,
        expires_at REAL,
        consumer INTEGER REFERENCES consumer (id) ON DELETE SET NULL,
        deliveries INTEGER NOT NULL DEFAULT 0,
        body TEXT NOT NULL
    )""",
    "CREATE INDEX message_ready ON message (queue, priority DESC, id) WHERE consumer IS NULL",
    "CREATE INDEX message_taken ON message (consumer) WHERE consumer IS NOT NULL",
    "CREATE INDEX message_expires ON message (expires_at) WHERE expires_at IS NOT NULL",
)


def prepare(connection: sqlite3.Connection, clock: Clock, *, busy_timeout: float) -> None:
    """Make *connection* ready for use, and the tables if the file is new.

    Raises sqlite3.DatabaseError, having changed nothing, if the file belongs to something else.
    """
    ready = _is_ready(connection)
    _switch_to_wal(connection, clock, busy_timeout)
    # NORMAL: a commit outlives the kill of every process; a power cut may undo the last few.
    connection.execute("PRAGMA synchronous = NORMAL")
    connection.execute("PRAGMA foreign_keys = ON")
    connection.execute(f"PRAGMA journal_size_limit = {WAL_KEPT_BYTES}")
    if not ready:
        connection.execute("BEGIN IMMEDIATE")
        if not _is_ready(connection):
            _create(connection)
        connection.execute("COMMIT")


def _switch_to_wal(connection: sqlite3.Connection, clock: Clock, busy_timeout: float) -> None:
    deadline = clock.monotonic() + busy_timeout
    while True:
        try:
            (mode,) = connection.execute("PRAGMA journal_mode = WAL").fetchone()
            break
        except sqlite3.OperationalError as error:
            # Two processes that make the file at once: SQLite does not wait by itself here.
            busy = error.sqlite_errorcode & 0xFF == sqlite3.SQLITE_BUSY
            if not busy or clock.monotonic() > deadline:
                raise
            clock.sleep(0.01)
    if mode != "wal":
        raise sqlite3.OperationalError("the disk does not support a write-ahead log: it must be a local one")


def _is_ready(connection: sqlite3.Connection) -> bool:
    (application_id,) = connection.execute("PRAGMA application_id").fetchone()
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if (application_id, version) == (APPLICATION_ID, VERSION):
        return True
    (tables,) = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    if application_id == APPLICATION_ID:
        raise sqlite3.DatabaseError(f"its tables are of version {version}, this taskcfg's of {VERSION}")
    if tables:
        raise sqlite3.DatabaseError("it holds the tables of something else")
    return False


def _create(connection: sqlite3.Connection) -> None:
    for statement in TABLES:
        connection.execute(statement)
    connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    connection.execute(f"PRAGMA user_version = {VERSION}")
