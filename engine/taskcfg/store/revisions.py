"""What was applied, by whom and from which commit; and how each source stands."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, select
from sqlalchemy.dialects import postgresql, sqlite

from taskcfg.store.columns import db_now
from taskcfg.store.tables import revision, source


@dataclass(frozen=True, slots=True)
class Provenance:
    """Where an apply came from: who did it, the folder, and the commit if there is one."""

    source: str
    actor: str
    folder: str
    files_digest: str
    repo: str | None = None
    commit: str | None = None
    author: str | None = None
    subject: str | None = None
    dirty: bool | None = None


@dataclass(frozen=True, slots=True)
class SourceRow:
    """How a source stands. `in_sync` None: never checked since it was applied."""

    name: str
    repo: str | None
    folder: str | None
    revision: int | None
    commit: str | None
    dirty: bool | None
    applied_at: datetime | None
    checked_at: datetime | None
    in_sync: bool | None
    problems: tuple[str, ...]


def record_revision(
    connection: Connection,
    provenance: Provenance,
    summary: Mapping[str, int],
    changes: Sequence[Mapping[str, Any]],
) -> int:
    """Write down an applied plan and return its number."""
    number: int | None = connection.scalar(
        revision.insert()
        .values(
            source=provenance.source,
            actor=provenance.actor,
            commit=provenance.commit,
            author=provenance.author,
            subject=provenance.subject,
            dirty=provenance.dirty,
            files_digest=provenance.files_digest,
            summary=dict(summary),
            changes=[dict(change) for change in changes],
            created_at=db_now(),
        )
        .returning(revision.c.id)
    )
    assert number is not None
    return number


def record_source(connection: Connection, provenance: Provenance, revision_id: int | None) -> None:
    """Note that the source is in step with its files: just applied, or found so (*revision_id* None)."""
    values: dict[str, Any] = {
        "repo": provenance.repo,
        "folder": provenance.folder,
        "commit": provenance.commit,
        "dirty": provenance.dirty,
        "files_digest": provenance.files_digest,
        "checked_at": db_now(),
        "in_sync": True,
        "problems": [],
    }
    if revision_id is not None:
        values |= {"revision": revision_id, "applied_at": db_now()}
    _write_source(connection, provenance.source, values)


def record_problems(connection: Connection, name: str, problems: Sequence[str]) -> None:
    """Note that the source's files cannot be applied as they are; what was applied stays in force."""
    values = {"checked_at": db_now(), "in_sync": False, "problems": list(problems)}
    _write_source(connection, name, values)


def read_sources(connection: Connection) -> list[SourceRow]:
    """Return every source the database knows, by name."""
    rows = connection.execute(
        select(*(source.c[field.name] for field in fields(SourceRow))).order_by(source.c.name)
    )
    return [SourceRow(**{**row, "problems": tuple(row["problems"])}) for row in rows.mappings()]


def current_revision(connection: Connection, name: str) -> int | None:
    """Return the number of the revision the source is at; None when nothing was applied yet."""
    return connection.scalar(select(source.c.revision).where(source.c.name == name))


def _write_source(connection: Connection, name: str, values: Mapping[str, Any]) -> None:
    insert = postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert
    fresh = {"problems": [], **values}
    statement = insert(source).values(name=name, **fresh)
    connection.execute(statement.on_conflict_do_update(index_elements=[source.c.name], set_=dict(values)))
