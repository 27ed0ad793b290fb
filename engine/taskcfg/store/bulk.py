"""Many rows in one statement.

On PostgreSQL the rows travel as one JSON parameter, unpacked by the server: one round trip and
no parameter list to build. SQLite has no round trips to save, and takes them one by one.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from functools import lru_cache
from typing import Any
from uuid import UUID

from sqlalchemy import (
    ColumnElement,
    Connection,
    Table,
    Text,
    and_,
    bindparam,
    cast,
    func,
    literal,
    select,
    update,
)
from sqlalchemy import column as sql_column
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.sql.expression import TableValuedAlias

CHUNK = 2_000
"""How many rows one statement carries."""

Row = Mapping[str, Any]
_ROWS = "given_rows"
_PREFIX = "given_"


def insert_rows(
    connection: Connection, table: Table, rows: Sequence[Row], *, shared: Row | None = None
) -> list[int]:
    """Insert *rows*, which all have the same keys, each with the *shared* values or SQL expressions.

    Returns the ids that were given out, in no particular order.
    """
    ids: list[int] = []
    for chunk in _chunks(rows):
        insert, values = _insert(connection, table, chunk, shared or {})
        ids += connection.scalars(insert.returning(table.c.id), values)
    return ids


def insert_new_rows(
    connection: Connection, table: Table, rows: Sequence[Row], *, shared: Row | None = None
) -> set[UUID]:
    """Insert *rows*, as `insert_rows` does, but for those whose unique key is taken already.

    They bring ids of their own. Returns the ids of those left out.
    """
    left_out: set[UUID] = set()
    for chunk in _chunks(rows):
        insert, values = _insert(connection, table, chunk, shared or {})
        counted = insert.on_conflict_do_nothing().execution_options(preserve_rowcount=True)
        if connection.execute(counted, values).rowcount != len(chunk):
            ids = [row["id"] for row in chunk]
            left_out |= {*ids} - {
                *connection.scalars(select(table.c.id).where(among(connection, table.c.id, ids)))
            }
    return left_out


def _insert(
    connection: Connection, table: Table, rows: Sequence[Row], shared: Row
) -> tuple[postgresql.Insert | sqlite.Insert, Any]:
    names = tuple(rows[0])
    if connection.dialect.name == "postgresql":
        given = _given(table, names)
        source = select(*(given.c[name] for name in names), *_expressions(table, shared))
        return postgresql.insert(table).from_select([*names, *shared], source), {_ROWS: _packed(rows)}
    return sqlite.insert(table).values(dict(shared)) if shared else sqlite.insert(table), list(rows)


def update_rows(
    connection: Connection,
    table: Table,
    rows: Sequence[Row],
    *,
    match: Sequence[str] = ("id",),
    where: ColumnElement[bool] | None = None,
    shared: Row | None = None,
) -> None:
    """Update the rows of *table* that equal a given one in the columns *match* and obey *where*.

    They get the given row's other values, and the *shared* values or SQL expressions.
    """
    for chunk in _chunks(rows):
        _update(connection, table, chunk, match, where, shared or {})


def _update(
    connection: Connection,
    table: Table,
    rows: Sequence[Row],
    match: Sequence[str],
    where: ColumnElement[bool] | None,
    shared: Row,
) -> None:
    names = tuple(rows[0])
    on_postgres = connection.dialect.name == "postgresql"
    if on_postgres:
        given: Mapping[str, Any] = dict(_given(table, names).c)
    else:
        given = {name: bindparam(_PREFIX + name, type_=table.c[name].type) for name in names}
    condition = and_(*(table.c[name] == given[name] for name in match))
    statement = update(table).where(condition if where is None else and_(condition, where))
    changed = {name: given[name] for name in names if name not in match}
    if on_postgres:
        values: Any = {_ROWS: _packed(rows)}
    else:
        values = [{_PREFIX + name: value for name, value in row.items()} for row in rows]
    connection.execute(statement.values({**changed, **shared}), values)


def among(connection: Connection, column: ColumnElement[Any], values: Iterable[Any]) -> ColumnElement[bool]:
    """Return the condition that *column* is one of *values*: one parameter, however many they are."""
    packed = json.dumps([_key(connection, value) for value in values], ensure_ascii=False)
    if connection.dialect.name == "postgresql":
        listed = func.json_array_elements_text(cast(literal(packed, Text), postgresql.JSON)).table_valued(
            "value"
        )
        return column.in_(select(cast(listed.c.value, column.type)))
    listed = func.json_each(packed).table_valued("value")
    return column.in_(select(listed.c.value))


def _key(connection: Connection, value: Any) -> Any:
    if isinstance(value, UUID):
        return str(value) if connection.dialect.name == "postgresql" else value.hex
    return value


@lru_cache(maxsize=64)
def _given(table: Table, names: tuple[str, ...]) -> TableValuedAlias:
    rows = cast(bindparam(_ROWS, type_=Text), postgresql.JSON)
    columns = [sql_column(name, table.c[name].type) for name in names]
    return func.json_to_recordset(rows).table_valued(*columns).render_derived(name="given", with_types=True)


def _expressions(table: Table, shared: Row) -> list[Any]:
    return [
        value if isinstance(value, ColumnElement) else cast(value, table.c[name].type)
        for name, value in shared.items()
    ]


def _packed(rows: Sequence[Row]) -> str:
    """Return *rows* as JSON. An instant that stands in several places is written out once."""
    written: dict[int, str] = {}

    def plain(value: Any) -> str:
        text = written.get(id(value))
        if text is None:
            text = written[id(value)] = _plain(value)
        return text

    return json.dumps(rows, default=plain, ensure_ascii=False, allow_nan=False, separators=(",", ":"))


def _plain(value: Any) -> str:
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, UUID):
        return str(value)
    raise TypeError(f"{type(value).__name__} cannot be stored")


def _chunks(rows: Sequence[Row]) -> Iterable[Sequence[Row]]:
    return (rows[start : start + CHUNK] for start in range(0, len(rows), CHUNK))
