"""What the database remembers of itself: its identity, and the environment it belongs to."""

from __future__ import annotations

from contextlib import suppress
from uuid import UUID, uuid4

from sqlalchemy import Connection, Engine, select
from sqlalchemy.dialects import postgresql, sqlite

from taskcfg.errors import DatabaseUnavailable, SchemaMismatch, WrongEnvironment
from taskcfg.store.database import reading
from taskcfg.store.tables import setting

DATABASE_UUID = "database_uuid"
ENVIRONMENT = "environment"
SCHEMA_SERVES = "schema_serves"
"""A schema, and the oldest one whose programs it still serves."""


def read_setting(connection: Connection, name: str) -> str | None:
    """Return the setting, or None where it was never written."""
    return connection.scalar(select(setting.c.value).where(setting.c.name == name))


def write_setting(connection: Connection, name: str, value: str) -> None:
    insert = postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert
    statement = insert(setting).values(name=name, value=value)
    connection.execute(
        statement.on_conflict_do_update(
            index_elements=[setting.c.name], set_={"value": statement.excluded.value}
        )
    )


def database_uuid(connection: Connection) -> UUID:
    """Return the identity that every dispatch's Celery id is made from; it never changes."""
    value = read_setting(connection, DATABASE_UUID)
    if value is None:
        raise SchemaMismatch("the database has no identity", hint="run `taskcfg db upgrade`")
    return UUID(value)


class Identity:
    """The database's identity for whoever can do without it for a moment: read once, None until it can be."""

    def __init__(self, database: Engine) -> None:
        self._database = database
        self._known: UUID | None = None

    def __call__(self) -> UUID | None:
        if self._known is None:
            with suppress(DatabaseUnavailable, SchemaMismatch), reading(self._database) as connection:
                self._known = database_uuid(connection)
        return self._known


def give_identity(connection: Connection) -> None:
    """Write the database's identity, unless it has one."""
    if read_setting(connection, DATABASE_UUID) is None:
        write_setting(connection, DATABASE_UUID, str(uuid4()))


def environment(connection: Connection) -> str | None:
    """Return the environment the database belongs to; None while it is unnamed."""
    return read_setting(connection, ENVIRONMENT)


def stamp_environment(connection: Connection, name: str | None) -> None:
    """Make the database that of environment *name*, if there is one and it belongs to none yet.

    Raises WrongEnvironment where it belongs to another.
    """
    check_environment(connection, name)
    if name is not None:
        write_setting(connection, ENVIRONMENT, name)


def check_environment(connection: Connection, name: str | None) -> None:
    """Refuse to work on a database of another environment. Raises WrongEnvironment."""
    stamped = environment(connection)
    if stamped is not None and stamped != name:
        raise WrongEnvironment("the database", stamped, name)


def check_database(database: Engine, name: str | None) -> None:
    """The same as `check_environment`; a database without tables belongs to nobody."""
    with suppress(SchemaMismatch), reading(database) as connection:
        check_environment(connection, name)
