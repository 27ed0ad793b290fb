"""What revisions tell of single tasks: unpacked by the database, and found by the task's row."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import (
    BigInteger,
    Connection,
    Select,
    Text,
    and_,
    case,
    cast,
    func,
    literal,
    literal_column,
    or_,
    select,
)
from sqlalchemy.dialects.postgresql import JSONB

from taskcfg.reconcile.past import check_change
from taskcfg.store.bulk import among
from taskcfg.store.tables import revision

_DAMAGED: list[dict[str, Any]] = [{}]
"""What stands for changes that are no list: one that is found whatever is asked, and cannot be read."""


@dataclass(frozen=True, slots=True)
class ToldChange:
    """One element of a revision's `changes`, with what its revision says of itself."""

    revision: int
    source: str
    at: datetime
    document: Mapping[str, Any]
    actor: str
    commit: str | None
    author: str | None


def told_changes(
    connection: Connection, rows: Mapping[int, tuple[str, str]], since: datetime
) -> dict[int, list[ToldChange]]:
    """Return what happened after *since* to the tasks of *rows*, by id and in order, under all their names.

    *rows* says of each its source and name, by which those revisions tell of it that noted no row: an older
    version's, which took part in a rolling upgrade. Raises TaskcfgError where one cannot be read.
    """
    found: dict[int, list[ToldChange]] = {id_: [] for id_ in rows}
    by_name = {place: id_ for id_, place in rows.items()}
    query = _told(connection, rows).where(revision.c.created_at > since).order_by(revision.c.id)
    for number, source, at, actor, commit, author, text in connection.execute(query):
        told = ToldChange(number, source, at, json.loads(text), actor, commit, author)
        check_change(number, told.document)
        id_ = told.document.get("id", by_name.get((source, told.document["name"])))
        if id_ in found:
            found[id_].append(told)
    return found


def _told(connection: Connection, rows: Mapping[int, tuple[str, str]]) -> Select[Any]:
    r = revision.c
    if connection.dialect.name == "postgresql":
        whole: Any = case(
            (func.jsonb_typeof(r.changes) == "array", r.changes), else_=literal(_DAMAGED, JSONB)
        )
        change = func.jsonb_array_elements(whole).table_valued("value").render_derived(name="told")
        name: Any = literal_column("told.value ->> 'name'", Text)
        id_: Any = cast(literal_column("told.value ->> 'id'", Text), BigInteger)
    else:
        whole = case((func.json_valid(r.changes) == 1, r.changes), else_=literal(json.dumps(_DAMAGED)))
        change = func.json_each(whole).table_valued("value").alias("told")
        name = literal_column("told.value ->> '$.name'", Text)
        id_ = literal_column("told.value ->> '$.id'", BigInteger)
    by_name = or_(among(connection, name, {name for _, name in rows.values()}), name.is_(None))
    return (
        select(r.id, r.source, r.created_at, r.actor, r.commit, r.author, cast(change.c.value, Text))
        .select_from(revision)
        .join(change, literal_column("true"))
        .where(or_(among(connection, id_, rows), and_(id_.is_(None), by_name)))
    )
