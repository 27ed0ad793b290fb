"""The clock of one real database, set forward and back while everybody else's goes on.

On PostgreSQL a function `now` of our own stands before the server's in the database's search path, so that
every session sees it that begins from then on. On SQLite the function `julianday` of one Engine's
connections is replaced: other processes go on as they did.
"""

import sqlite3
import time
from datetime import timedelta

from sqlalchemy import Engine, event

from services import postgres

JULIAN_EPOCH = 2440587.5

SHADOW = """
CREATE SCHEMA shadow;
CREATE TABLE shadow.moved (by interval NOT NULL);
INSERT INTO shadow.moved VALUES (interval '0');
CREATE FUNCTION shadow.now() RETURNS timestamptz STABLE LANGUAGE sql
    AS 'SELECT pg_catalog.now() + (SELECT by FROM shadow.moved)';
DO $$ BEGIN EXECUTE format(
    'ALTER DATABASE %I SET search_path = public, shadow, pg_catalog', current_database()); END $$;
"""


class PostgresClock:
    """The clock of the database at *url*, whose tables must be there already."""

    def __init__(self, url: str) -> None:
        postgres.execute(url, SHADOW)
        self._connection = postgres.connect(url)

    def set(self, moved: timedelta) -> None:
        """Have it show *moved* more than the server's, for transactions that begin from now on."""
        with self._connection.cursor() as cursor:
            cursor.execute("UPDATE shadow.moved SET by = %s", (moved,))


class SqliteClock:
    """The clock of *database*, as its own connections see it."""

    def __init__(self, database: Engine) -> None:
        self._moved = 0.0
        event.listen(database, "connect", self._replace)
        database.dispose()

    def set(self, moved: timedelta) -> None:
        self._moved = moved.total_seconds()

    def _replace(self, connection: sqlite3.Connection, record: object) -> None:
        connection.create_function("julianday", 1, self._julianday)

    def _julianday(self, word: str) -> float:
        assert word == "now"
        return (time.time() + self._moved) / 86_400 + JULIAN_EPOCH


def clock_of(database: Engine) -> PostgresClock | SqliteClock:
    """Return the clock of *database*, to be set; its connections are opened anew."""
    if database.dialect.name == "sqlite":
        return SqliteClock(database)
    clock = PostgresClock(database.url.render_as_string(hide_password=False))
    database.dispose()
    return clock
