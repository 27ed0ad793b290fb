"""Which tables the database has, and bringing them up to date."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, Engine, column, func, inspect, select, table

from taskcfg.errors import SchemaInUse, SchemaMismatch
from taskcfg.store.database import reading, writing
from taskcfg.store.nodes import names_of_the_living
from taskcfg.store.postgres import check_server
from taskcfg.store.settings_table import (
    SCHEMA_SERVES,
    check_database,
    give_identity,
    read_setting,
    write_setting,
)
from taskcfg.store.tables import metadata, setting
from taskcfg.store.unavailable import UPGRADE_HINT, shown

if TYPE_CHECKING:
    from alembic.config import Config
    from alembic.script import Script

NEWEST = "0003"
"""The schema this version works with: the last step in `taskcfg_migrations`. A test compares them."""

UPGRADE_LOCK = 7_450_219_002
"""The key of PostgreSQL's advisory lock that an upgrade holds."""

_schema = table("taskcfg_schema", column("version_num"))


def upgrade(database: Engine) -> None:
    """Bring the tables to `NEWEST`, in one transaction; several at once wait for each other.

    A newer database that serves this version stays as it is. Raises SchemaMismatch when it does not
    serve it, and SchemaInUse, having changed nothing, when a step is not additive and somebody is alive.
    """
    from alembic import command

    with writing(database) as connection:
        if connection.dialect.name == "postgresql":
            check_server(connection)
            connection.execute(select(func.pg_advisory_xact_lock(UPGRADE_LOCK)))
        version = _version(connection)
        if version is not None and version > NEWEST:
            _refuse_unserved(database, connection, version)
            return
        _refuse_in_use(connection, version)
        command.upgrade(_config(connection), "head")
        give_identity(connection)
        _note_served(connection)
        _refuse_incomplete(database, connection)


def step(database: Engine, version: str) -> None:
    """Bring the tables up to *version* and no further."""
    from alembic import command

    with writing(database) as connection:
        command.upgrade(_config(connection), version)
        _note_served(connection)


def downgrade(database: Engine, version: str) -> None:
    """Take the tables back to *version* (`base`: none at all), with what they hold."""
    from alembic import command

    with writing(database) as connection:
        command.downgrade(_config(connection), version)
        _note_served(connection)


def current(database: Engine) -> str | None:
    """Return the database's schema version, None where it has no tables of ours."""
    with reading(database) as connection:
        return _version(connection)


def check(database: Engine) -> None:
    """Raise SchemaMismatch, saying what to do, unless the tables are those of this version, or serve it."""
    try:
        with reading(database) as connection:
            version = connection.scalar(select(_schema.c.version_num))
            if version is not None and version > NEWEST:
                _refuse_unserved(database, connection, version)
                return
    except SchemaMismatch:
        if _is_there(database):
            raise
        version = None
    if version is None:
        raise SchemaMismatch(f"{shown(database)} has no tables yet", hint=UPGRADE_HINT)
    if version != NEWEST:
        raise SchemaMismatch(
            f"{shown(database)} has schema {version}, and this version needs {NEWEST}", hint=UPGRADE_HINT
        )


def check_for(database: Engine, environment: str | None) -> None:
    """The same as `check`, and raise WrongEnvironment where the database is that of another environment."""
    check(database)
    check_database(database, environment)


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


def _is_there(database: Engine) -> bool:
    with reading(database) as connection:
        return _version(connection) is not None


def _refuse_unserved(database: Engine, connection: Connection, version: str) -> None:
    """Refuse a newer schema, unless the run that made it wrote down that programs of ours may go on."""
    of, _, oldest = (read_setting(connection, SCHEMA_SERVES) or "").partition(" ")
    if of != version or not oldest or oldest > NEWEST:
        raise SchemaMismatch(
            f"{shown(database)} has schema {version}, newer than this version's {NEWEST}",
            hint="upgrade taskcfg",
        )


def _refuse_in_use(connection: Connection, version: str | None) -> None:
    """Refuse a step that programs of the version before would not survive, while some are alive."""
    breaking = [script.revision for script in _steps(connection, version) if not _is_additive(script)]
    alive = names_of_the_living(connection) if version is not None and breaking else []
    if alive:
        raise SchemaInUse(steps=breaking, alive=alive)


def _note_served(connection: Connection) -> None:
    """Write down the oldest schema whose programs may go on: `0003 0002`, that is, 0003 serves 0002."""
    version = _version(connection)
    if version is None or not inspect(connection).has_table(setting.name):
        return
    oldest = version
    for script in reversed(_steps(connection, None)):
        if script.revision == oldest and _is_additive(script):
            oldest = str(script.down_revision)
    served = f"{version} {oldest}"
    if read_setting(connection, SCHEMA_SERVES) != served:
        write_setting(connection, SCHEMA_SERVES, served)


def _steps(connection: Connection, version: str | None) -> list[Script]:
    """Return the steps after *version*, the first one first."""
    from alembic.script import ScriptDirectory

    scripts = ScriptDirectory.from_config(_config(connection))
    return [*scripts.iterate_revisions("head", version or "base")][::-1]


def _is_additive(script: Script) -> bool:
    return bool(getattr(script.module, "additive", False))


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
