"""Who is alive: schedulers and worker boots. A node's row is its lease, by the database's clock."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from importlib.metadata import version
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Connection, Engine, Row, and_, delete, select, update
from sqlalchemy.dialects import postgresql, sqlite

from taskcfg.spec.clock_guard import JUMP
from taskcfg.store.columns import db_now, in_seconds
from taskcfg.store.database import writing
from taskcfg.store.tables import node

SCHEDULER = "scheduler"
WORKER = "worker"

KEPT_FOR = timedelta(days=1)
"""How long the row of a node that is gone is kept."""

_c = node.c


@dataclass(frozen=True, slots=True)
class NodeRow:
    """A scheduler's or worker's life. `queues` are those a worker serves, None where unknown."""

    id: UUID
    kind: str
    name: str
    host: str
    pid: int
    version: str
    queues: tuple[str, ...] | None
    started_at: datetime
    renewed_at: datetime
    alive: bool


def register(
    database: Engine,
    node_id: UUID,
    *,
    kind: str,
    name: str,
    host: str,
    pid: int,
    lease: timedelta,
    queues: Sequence[str] | None = None,
    follows: str | None = None,
) -> None:
    """Write the node's row, alive for *lease*; again, when it is there. Raises DatabaseUnavailable.

    *follows* is the source that a scheduler keeps in step with its files, if it does.
    """
    insert = postgresql.insert if database.dialect.name == "postgresql" else sqlite.insert
    values = {
        "kind": kind,
        "name": name,
        "host": host,
        "pid": pid,
        "version": version("taskcfg"),
        "queues": None if queues is None else list(queues),
        "follows": follows,
        "renewed_at": db_now(),
        "expires_at": in_seconds(lease.total_seconds()),
        "ended_at": None,
    }
    statement = insert(node).values(id=node_id, started_at=db_now(), **values)
    with writing(database) as connection:
        connection.execute(statement.on_conflict_do_update(index_elements=[_c.id], set_=values))


def renew(database: Engine, node_id: UUID, lease: timedelta) -> bool:
    """Live on for another *lease*. False: the row is gone, or ended; register again.

    Raises DatabaseUnavailable.
    """
    with writing(database) as connection:
        renewed = connection.execute(
            update(node)
            .where(_c.id == node_id, _c.ended_at.is_(None))
            .values(renewed_at=db_now(), expires_at=in_seconds(lease.total_seconds()))
        )
        return renewed.rowcount > 0


def end(database: Engine, node_id: UUID) -> None:
    """Sign off: what the node holds is free for others at once. Raises DatabaseUnavailable."""
    with writing(database) as connection:
        ended = update(node).where(_c.id == node_id, _c.ended_at.is_(None))
        connection.execute(ended.values(ended_at=db_now()))


def is_alive(now: datetime | None = None) -> ColumnElement[bool]:
    """Return the condition that a node is alive, *now* or by the database's clock.

    A row that was renewed in the future is left from before that clock was set back: whoever lives
    renews it by the new time.
    """
    soon = in_seconds(JUMP) if now is None else now + timedelta(seconds=JUMP)
    return and_(
        _c.ended_at.is_(None), _c.expires_at > (db_now() if now is None else now), _c.renewed_at <= soon
    )


def followers(connection: Connection, source: str) -> list[str]:
    """Return the names of the schedulers that are alive and keep *source* in step with its files."""
    query = select(_c.name).where(_c.follows == source, is_alive()).order_by(_c.name)
    return list(connection.scalars(query))


def known_nodes(connection: Connection, kind: str, *, alive_only: bool = False) -> list[NodeRow]:
    """Return the nodes of *kind*, the youngest first: those alive, and those gone of late."""
    alive = is_alive()
    query = select(node, alive.label("alive")).where(_c.kind == kind)
    if alive_only:
        query = query.where(alive)
    rows = connection.execute(query.order_by(_c.started_at.desc(), _c.id.desc()))
    return [_node_row(row) for row in rows]


def names_of_the_living(connection: Connection) -> list[str]:
    """Return `worker w1 (version 1.0.0)` for each node alive, in order.

    Reads only columns that the first tables have: the others may not be there yet.
    """
    rows = connection.execute(
        select(_c.kind, _c.name, _c.version).where(is_alive()).order_by(_c.kind, _c.name, _c.id)
    )
    return [f"{row.kind} {row.name} (version {row.version})" for row in rows]


def _node_row(row: Row[Any]) -> NodeRow:
    return NodeRow(
        id=row.id,
        kind=row.kind,
        name=row.name,
        host=row.host,
        pid=row.pid,
        version=row.version,
        queues=None if row.queues is None else tuple(row.queues),
        started_at=row.started_at,
        renewed_at=row.renewed_at,
        alive=bool(row.alive),
    )


def purge(connection: Connection, older_than: timedelta = KEPT_FOR) -> int:
    """Remove the rows of nodes that are gone for longer than *older_than*; return how many."""
    before = in_seconds(-older_than.total_seconds())
    gone = delete(node).where((_c.ended_at < before) | (_c.expires_at < before))
    return connection.execute(gone).rowcount
