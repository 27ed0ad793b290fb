"""Housekeeping that one process at a time does: a lease in the database, by the database's clock."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from sqlalchemy import Engine, exists, or_
from sqlalchemy.dialects import postgresql, sqlite

from taskcfg.clock import Clock, SystemClock
from taskcfg.store.columns import db_now, in_seconds
from taskcfg.store.database import writing
from taskcfg.store.nodes import is_alive
from taskcfg.store.tables import lease, node

TTL = timedelta(seconds=15)
"""How long a lease holds without being renewed."""

DISTRUST = timedelta(seconds=1)
"""How long before its end the holder stops trusting it."""


@dataclass(frozen=True, slots=True)
class Held:
    """A lease that is ours until our own monotonic clock shows `until`, whatever the database's does."""

    name: str
    until: float

    def trusted(self, clock: Clock) -> bool:
        """Say whether to go on with what only its holder may do."""
        return clock.monotonic() < self.until


def acquire(database: Engine, name: str, holder: UUID, clock: Clock | None = None) -> Held | None:
    """Take the lease *name*, or renew it if it is ours. None: another process holds it.

    It may be trusted for `TTL` less `DISTRUST`, counted from before it was asked for. One that ends
    later than any could is left over from before the database's clock was set back: nobody renewed it
    since. Raises DatabaseUnavailable.
    """
    began = (clock or SystemClock()).monotonic()
    whole = in_seconds(TTL.total_seconds())
    insert = postgresql.insert if database.dialect.name == "postgresql" else sqlite.insert
    statement = insert(lease).values(name=name, holder=holder, epoch=1, expires_at=whole)
    over = or_(lease.c.expires_at <= db_now(), lease.c.expires_at > in_seconds(2 * TTL.total_seconds()))
    statement = statement.on_conflict_do_update(
        index_elements=[lease.c.name],
        set_={"holder": holder, "epoch": lease.c.epoch + 1, "expires_at": whole},
        where=or_(lease.c.holder == holder, over),
    )
    with writing(database) as connection:
        if connection.scalar(statement.returning(lease.c.epoch)) is None:
            return None
    return Held(name, began + (TTL - DISTRUST).total_seconds())


def release(database: Engine, name: str, holder: UUID) -> None:
    """Give up the lease *name*, if it is ours, for the next to take at once. Raises DatabaseUnavailable."""
    with writing(database) as connection:
        connection.execute(lease.delete().where(lease.c.name == name, lease.c.holder == holder))


def release_of_the_dead(database: Engine, name: str) -> bool:
    """Give up the lease *name* for a node that died with it; True if there was one.

    Only where two that hold it for a moment do no harm: the dead may only seem so. Raises
    DatabaseUnavailable.
    """
    alive = exists().where(node.c.id == lease.c.holder, is_alive())
    with writing(database) as connection:
        return connection.execute(lease.delete().where(lease.c.name == name, ~alive)).rowcount > 0


def release_all(database: Engine, holder: UUID) -> None:
    """Give up every lease that is ours, for the next to take at once. Raises DatabaseUnavailable."""
    with writing(database) as connection:
        connection.execute(lease.delete().where(lease.c.holder == holder))
