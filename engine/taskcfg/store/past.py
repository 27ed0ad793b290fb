"""Applied plans, as they were recorded."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, select

from taskcfg.errors import TaskcfgError, UnknownRevision
from taskcfg.reconcile.past import Recorded, Revised
from taskcfg.store.history import Page
from taskcfg.store.tables import revision

_c = revision.c
_FACTS = (
    _c.id, _c.source, _c.created_at, _c.actor, _c.reason, _c.commit, _c.author, _c.subject, _c.dirty,
    _c.summary, _c.files_digest,
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class RevisionRow:
    """One applied plan without its changes. `reason` says why, where it was no plain apply."""

    number: int
    source: str
    applied_at: datetime
    actor: str
    reason: str | None
    commit: str | None
    author: str | None
    subject: str | None
    dirty: bool | None
    summary: Mapping[str, int]
    files_digest: str | None


def read_revisions(
    connection: Connection, source: str | None, limit: int, cursor: str | None = None
) -> Page[RevisionRow]:
    """Return revisions, the newest first, of *source* or of all.

    Raises TaskcfgError for a cursor that is none.
    """
    query = select(*_FACTS).order_by(_c.id.desc()).limit(limit + 1)
    if source is not None:
        query = query.where(_c.source == source)
    if cursor is not None:
        if not cursor.isdecimal():
            raise TaskcfgError(
                f"`{cursor}` is no cursor", hint="give the one that the page before ended with"
            )
        query = query.where(_c.id < int(cursor))
    rows = [_row(row) for row in connection.execute(query)]
    more = str(rows[limit - 1].number) if len(rows) > limit else None
    return Page(tuple(rows[:limit]), more)


def read_revision(connection: Connection, number: int) -> tuple[RevisionRow, list[Recorded]]:
    """Return one revision with its changes, by name. Raises UnknownRevision."""
    row = connection.execute(select(*_FACTS, _c.changes).where(_c.id == number)).first()
    if row is None:
        raise UnknownRevision(number)
    return _row(row[:-1]), sorted(row.changes, key=lambda change: str(change["name"]))


def all_revisions(connection: Connection) -> Iterator[Revised]:
    """Yield the revisions of all sources, the oldest first."""
    query = select(_c.id, _c.source, _c.changes).order_by(_c.id).execution_options(yield_per=100)
    for number, source, changes in connection.execute(query):
        yield Revised(number, source, changes)


def _row(row: Row[Any] | tuple[Any, ...]) -> RevisionRow:
    return RevisionRow(*row)
