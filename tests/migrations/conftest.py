"""Fixtures for tests of the migrations."""

from collections.abc import Callable, Iterator
from pathlib import Path
from uuid import uuid4

import pytest
from sqlalchemy import Connection, Engine, event, make_url, text

from taskcfg.store.database import open_database


@pytest.fixture
def make_empty(database_url: str, tmp_path: Path) -> Iterator[Callable[[], Engine]]:
    """`make_empty()` is another empty database of the same kind: on PostgreSQL, a schema of the same one."""
    made: list[Engine] = []

    def make() -> Engine:
        url = make_url(database_url)
        if url.get_backend_name() == "sqlite":
            url = url.set(database=str(tmp_path / "other.db"))
        else:
            name = f"other_{uuid4().hex[:8]}"
            made.append(open_database(database_url, role="test"))
            with made[-1].begin() as connection:
                connection.execute(text(f"CREATE SCHEMA {name}"))
            url = url.update_query_dict({"options": f"-csearch_path={name}"})
        made.append(open_database(url.render_as_string(hide_password=False), role="test"))
        return made[-1]

    yield make
    for database in made:
        database.dispose()


@pytest.fixture
def count_statements() -> Callable[[Engine], list[str]]:
    """`count_statements(database)` is a list that grows with each statement sent from then on."""

    def count(database: Engine) -> list[str]:
        statements: list[str] = []

        @event.listens_for(database, "before_cursor_execute")
        def note(connection: Connection, cursor: object, statement: str, *rest: object) -> None:
            statements.append(statement)

        return statements

    return count
