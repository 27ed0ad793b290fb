"""What the database remembers of itself: its identity, and the environment it belongs to."""

from __future__ import annotations

from uuid import UUID, uuid4

from sqlalchemy import Connection, select
from sqlalchemy.dialects import postgresql, sqlite

from taskcfg.errors import SchemaMismatch, WrongEnvironment
from taskcfg.store.tables import setting

DATABASE_UUID = "database_uuid"
ENVIRONMENT = "environment"


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


def give_identity(connection: Connection) -> None:
    """Write the database's identity, unless it has one."""
    if read_setting(connection, DATABASE_UUID) is None:
        write_setting(connection, DATABASE_UUID, str(uuid4()))


def environment(connection: Connection) -> str | None:
    """Return the environment the database belongs to; None while it is unnamed."""
    return read_setting(connection, ENVIRONMENT)


def check_environment(connection: Connection, name: str | None) -> None:
    """Refuse to work on a database of another environment. Raises WrongEnvironment."""
    stamped = environment(connection)
    if stamped is not None and stamped != name:
        asked = f"`{name}`" if name else "no environment"
        raise WrongEnvironment(
            f"the database belongs to environment `{stamped}`, and this command is for {asked}",
            hint=f"use `--env {stamped}`, or another `database_url`",
        )
