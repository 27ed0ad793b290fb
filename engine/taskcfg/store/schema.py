"""Which tables the database has, and bringing them up to date."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, Engine, column, func, inspect, select, table

from taskcfg.errors import SchemaMismatch
from taskcfg.store.database import reading, writing
from taskcfg.store.settings_table import give_identity
from taskcfg.store.tables import metadata
from taskcfg.store.unavailable import UPGRADE_HINT, shown

if TYPE_CHECKING:
    from alembic.config import Config

NEWEST = "0001"
"""The schema this version works with: the last step in `taskcfg_migrations`. A test compares them."""

UPGRADE_LOCK = 7_450_219_002
"""The key of PostgreSQL's advisory lock that an upgrade holds."""

_schema = table("taskcfg_schema", column("version_num"))


def upgrade(database: Engine) -> None:
    """Bring the tables to `NEWEST`, in one transaction; several at once wait for each other.

    Raises SchemaMismatch when the database is newer than this version of taskcfg.
    """
    from alembic import command

    with writing(database) as connection:
        if connection.dialect.name == "postgresql":
            connection.execute(select(func.pg_advisory_xact_lock(UPGRADE_LOCK)))
        _refuse_newer(database, _version(connection))
        command.upgrade(_config(connection), "head")
        give_identity(connection)
        _refuse_incomplete(database, connection)


def step(database: Engine, version: str) -> None:
    """Bring the tables up to *version* and no further."""
    from alembic import command

    with writing(database) as connection:
        command.upgrade(_config(connection), version)


def downgrade(database: Engine, version: str) -> None:
    """Take the tables back to *version* (`base`: none at all), with what they hold."""
    from alembic import command

    with writing(database) as connection:
        command.downgrade(_config(connection), version)


def current(database: Engine) -> str | None:
    """Return the database's schema version, None where it has no tables of ours."""
    with reading(database) as connection:
        return _version(connection)


def check(database: Engine) -> None:
    """Raise SchemaMismatch, saying what to do, unless the tables are those of this version."""
    try:
        with reading(database) as connection:
            version = connection.scalar(select(_schema.c.version_num))
    except SchemaMismatch:
        version = None
    if version is None:
        raise SchemaMismatch(f"{shown(database)} has no tables yet", hint=UPGRADE_HINT)
    _refuse_newer(database, version)
    if version != NEWEST:
        raise SchemaMismatch(
            f"{shown(database)} has schema {version}, and this version needs {NEWEST}", hint=UPGRADE_HINT
        )


def check_whole(database: Engine) -> None:
    """The same as `check`, and that no table of ours is missing, which costs a look at the catalogue."""
    check(database)
    with reading(database) as connection:
        _refuse_incomplete(database, connection)


def _refuse_incomplete(database: Engine, connection: Connection) -> None:
    missing = sorted({*metadata.tables} - {*inspect(connection).get_table_names()})
    if missing:
        raise SchemaMismatch(
            f"{shown(database)} has schema {NEWEST}, but not all of its tables: {', '.join(missing)}",
            hint="somebody took them away: restore the database from a backup, or begin with an empty one",
        )


def _refuse_newer(database: Engine, version: str | None) -> None:
    if version is not None and version > NEWEST:
        raise SchemaMismatch(
            f"{shown(database)} has schema {version}, newer than this version's {NEWEST}",
            hint="upgrade taskcfg",
        )


def _version(connection: Connection) -> str | None:
    if not inspect(connection).has_table(_schema.name):
        return None
    version: str | None = connection.scalar(select(_schema.c.version_num))
    return version


def _config(connection: Connection) -> Config:
    from alembic.config import Config

    attributes: dict[str, Any] = {"connection": connection}
    config = Config(attributes=attributes)
    config.set_main_option("script_location", "taskcfg_migrations:")
    config.set_main_option("path_separator", "os")
    return config
