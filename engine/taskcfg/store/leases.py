"""Housekeeping that one process at a time does: a lease in the database, by the database's clock."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

from sqlalchemy import Engine, or_
from sqlalchemy.dialects import postgresql, sqlite

from taskcfg.store.columns import db_now, in_seconds
from taskcfg.store.database import writing
from taskcfg.store.tables import lease

TTL = timedelta(seconds=15)
"""How long a lease holds without being renewed."""


def acquire(database: Engine, name: str, holder: UUID) -> bool:
    """Take the lease *name*, or renew it if it is ours. False: another process holds it.

    Whoever got True may work for a little less than `TTL`. Raises DatabaseUnavailable.
    """
    insert = postgresql.insert if database.dialect.name == "postgresql" else sqlite.insert
    statement = insert(lease).values(
        name=name, holder=holder, epoch=1, expires_at=in_seconds(TTL.total_seconds())
    )
    statement = statement.on_conflict_do_update(
        index_elements=[lease.c.name],
        set_={"holder": holder, "epoch": lease.c.epoch + 1, "expires_at": in_seconds(TTL.total_seconds())},
        where=or_(lease.c.holder == holder, lease.c.expires_at <= db_now()),
    )
    with writing(database) as connection:
        return connection.scalar(statement.returning(lease.c.epoch)) is not None


def release_all(database: Engine, holder: UUID) -> None:
    """Give up every lease that is ours, for the next to take at once. Raises DatabaseUnavailable."""
    with writing(database) as connection:
        connection.execute(lease.delete().where(lease.c.holder == holder))
