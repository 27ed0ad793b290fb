"""What was applied, by whom and from which commit; and how each source stands."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, select
from sqlalchemy.dialects import postgresql, sqlite

from taskcfg.reconcile.state import Place
from taskcfg.store.columns import db_now
from taskcfg.store.database import database_time
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
    reason: str | None = None


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
            reason=provenance.reason,
            commit=provenance.commit,
            author=provenance.author,
            subject=provenance.subject,
            dirty=provenance.dirty,
            files_digest=provenance.files_digest,
            summary=dict(summary),
            changes=[dict(change) for change in changes],
            # The instant that the new fire times were counted from: an audit goes by it.
            created_at=database_time(connection),
        )
        .returning(revision.c.id)
    )
    assert number is not None
    return number


def record_source(
    connection: Connection, provenance: Provenance, revision_id: int | None, *, in_sync: bool | None = True
) -> None:
    """Note how the source stands: just applied, or found to need nothing (*revision_id* None).

    *in_sync* None is for an apply of a part, after which nobody has looked at the rest.
    """
    values: dict[str, Any] = {
        "repo": provenance.repo,
        "folder": provenance.folder,
        "commit": provenance.commit,
        "dirty": provenance.dirty,
        "files_digest": provenance.files_digest,
        "checked_at": db_now(),
        "in_sync": in_sync,
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


@dataclass(frozen=True, slots=True)
class Standing:
    """What a source was applied last: the revision, and the commit, which moves without one too."""

    revision: int | None
    commit: str | None


def standing_of(connection: Connection, name: str) -> Standing:
    """Return how far the source has come; two that are equal have nothing in between that changed a task."""
    row = connection.execute(select(source.c.revision, source.c.commit).where(source.c.name == name)).first()
    return Standing(None, None) if row is None else Standing(row.revision, row.commit)


def place_of(connection: Connection, name: str) -> Place | None:
    """Return where the source was last applied from; None when nothing was applied yet."""
    row = connection.execute(select(source.c.repo, source.c.folder).where(source.c.name == name)).first()
    return None if row is None else Place(row.repo, row.folder)


@dataclass(frozen=True, slots=True)
class ToldChange:
    """Who applied the last change of a task, as its revision tells."""

    revision: int
    actor: str
    commit: str | None


def last_changes(
    connection: Connection, name: str, tasks: Sequence[str], after: int | None
) -> dict[str, ToldChange]:
    """Return, of *tasks* of the source *name*, who changed them last in a revision later than *after*."""
    query = select(revision.c.id, revision.c.actor, revision.c.commit, revision.c.changes).where(
        revision.c.source == name, revision.c.id > (after or 0)
    )
    wanted, found = set(tasks), dict[str, ToldChange]()
    for row in connection.execute(query.order_by(revision.c.id)):
        for change in row.changes:
            if change["name"] in wanted:
                found[change["name"]] = ToldChange(row.id, row.actor, row.commit)
    return found


def _write_source(connection: Connection, name: str, values: Mapping[str, Any]) -> None:
    insert = postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert
    fresh = {"problems": [], **values}
    statement = insert(source).values(name=name, **fresh)
    connection.execute(statement.on_conflict_do_update(index_elements=[source.c.name], set_=dict(values)))
