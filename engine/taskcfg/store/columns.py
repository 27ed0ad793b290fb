"""Column types and expressions that mean the same on both databases."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import JSON, BigInteger, ColumnElement, DateTime, Dialect, Float, literal_column, type_coerce
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement
from sqlalchemy.types import TypeDecorator, TypeEngine

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


class Instant(TypeDecorator[datetime]):
    """An aware instant: `timestamptz` on PostgreSQL, integer microseconds since 1970 UTC on SQLite."""

    impl = BigInteger
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        if dialect.name == "postgresql":
            return dialect.type_descriptor(DateTime(timezone=True))
        return dialect.type_descriptor(BigInteger())

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> Any:
        if value is None or dialect.name == "postgresql":
            return value
        return (value - EPOCH) // _MICROSECOND

    def process_result_value(self, value: Any, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        if isinstance(value, datetime):
            return value if value.tzinfo is UTC else value.astimezone(UTC)
        return EPOCH + timedelta(microseconds=value)


Document = JSON(none_as_null=True).with_variant(JSONB(none_as_null=True), "postgresql")
"""JSON that is looked into by queries."""

FrozenDocument = JSON(none_as_null=True)
"""JSON that is only stored and read back, as text."""


class FrozenObject(TypeDecorator[dict[str, Any]]):
    """A JSON object that is only stored and read back, as text; what is no JSON object reads as `{}`.

    SQLite keeps any text: one row that somebody wrote by hand must not make the others unreadable.
    """

    impl = JSON
    cache_ok = True

    def __init__(self) -> None:
        super().__init__(none_as_null=True)

    def result_processor(self, dialect: Dialect, coltype: object) -> Callable[[Any], Any]:
        plain = super().result_processor(dialect, coltype) or (lambda value: value)

        def process(value: Any) -> Any:
            try:
                read = plain(value)
            except (ValueError, RecursionError):
                return {}
            return read if read is None or isinstance(read, dict) else {}

        return process


class db_now(FunctionElement[datetime]):
    """The database's clock: the start of the transaction on PostgreSQL, this moment (in ms) on SQLite."""

    type = Instant()
    inherit_cache = True
    name = "db_now"


@compiles(db_now, "postgresql")
def _postgres_now(element: db_now, compiler: SQLCompiler, **options: Any) -> str:
    return "now()"


@compiles(db_now, "sqlite")
def _sqlite_now(element: db_now, compiler: SQLCompiler, **options: Any) -> str:
    # SQLite's CURRENT_TIMESTAMP has whole seconds, and unixepoch('subsec') is NULL before 3.42.
    return "(CAST((julianday('now') - 2440587.5) * 86400000 AS INTEGER) * 1000)"


class db_shift(FunctionElement[datetime]):
    """The instant *seconds* after *instant*, both SQL expressions; before it, when negative."""

    type = Instant()
    inherit_cache = True
    name = "db_shift"

    def __init__(self, instant: Any, seconds: Any) -> None:
        super().__init__(instant, type_coerce(seconds, Float))


@compiles(db_shift, "postgresql")
def _postgres_shift(element: db_shift, compiler: SQLCompiler, **options: Any) -> str:
    instant, seconds = (compiler.process(clause, **options) for clause in element.clauses)
    return f"({instant} + make_interval(secs => {seconds}))"


@compiles(db_shift, "sqlite")
def _sqlite_shift(element: db_shift, compiler: SQLCompiler, **options: Any) -> str:
    instant, seconds = (compiler.process(clause, **options) for clause in element.clauses)
    return f"({instant} + CAST({seconds} * 1000000 AS INTEGER))"


def in_seconds(seconds: float) -> db_shift:
    """Return the instant *seconds* from the database's now."""
    return db_shift(db_now(), seconds)


def is_one_of(column: ColumnElement[str], *words: str) -> ColumnElement[bool]:
    """Return the condition that *column* is one of *words*, which stand in the SQL text itself.

    SQLite uses a partial index only for a query that says the index's own condition, constants
    and all; behind a parameter it does not see them.
    """
    constants: list[ColumnElement[str]] = [literal_column(f"'{word}'") for word in words]
    return column.in_(constants) if len(constants) > 1 else column == constants[0]
