"""Applied plans, as they were recorded."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, Text, cast, select

from taskcfg.errors import TaskcfgError, UnknownRevision
from taskcfg.reconcile.past import Recorded, Revised, read_changes
from taskcfg.store.history import Page
from taskcfg.store.tables import revision

_c = revision.c
_FACTS = (
    _c.id, _c.source, _c.created_at, _c.actor, _c.reason, _c.commit, _c.author, _c.subject, _c.dirty,
    _c.summary, _c.files_digest,
)  # fmt: skip
_CHANGES = cast(_c.changes, Text)

MOST = 2**63 - 1
"""No revision has a greater number: a database counts no further."""


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
        if not cursor.isdecimal() or int(cursor) > MOST:
            raise TaskcfgError(
                f"`{cursor}` is no cursor", hint="give the one that the page before ended with"
            )
        query = query.where(_c.id < int(cursor))
    rows = [_row(row) for row in connection.execute(query)]
    more = str(rows[limit - 1].number) if len(rows) > limit else None
    return Page(tuple(rows[:limit]), more)


def read_revision(
    connection: Connection, number: int, source: str | None = None
) -> tuple[RevisionRow, list[Recorded]]:
    """Return one revision, of *source* or of any, with its changes, by name.

    Raises UnknownRevision, and TaskcfgError where they cannot be read.
    """
    query = select(*_FACTS, _CHANGES).where(_c.id == number)
    row = connection.execute(query).first() if number <= MOST else None
    if row is None:
        raise UnknownRevision(number)
    if source not in (None, row.source):
        raise UnknownRevision(number, source=source, owner=row.source)
    return _row(row[:-1]), sorted(read_changes(number, row[-1]), key=lambda change: str(change["name"]))


def all_revisions(connection: Connection) -> Iterator[Revised]:
    """Yield the revisions of all sources, the oldest first. Raises TaskcfgError where one cannot be read."""
    query = select(_c.id, _c.source, _CHANGES).order_by(_c.id).execution_options(yield_per=100)
    for number, source, text in connection.execute(query):
        yield Revised(number, source, read_changes(number, text))


def _row(row: Row[Any] | tuple[Any, ...]) -> RevisionRow:
    return RevisionRow(*row)
