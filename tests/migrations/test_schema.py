"""The migrations build exactly the tables of the code, on both databases, up and down."""

import json
import multiprocessing
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Engine, inspect, select, text

from stored import World
from taskcfg.errors import SchemaMismatch
from taskcfg.store import schema
from taskcfg.store.database import open_database, reading, writing
from taskcfg.store.settings_table import database_uuid
from taskcfg.store.tables import SPEC_COLUMNS, metadata, revision, task_config
from taskcfg.testing import make_spec

VERSION_TABLE = "taskcfg_schema"


@pytest.fixture
def empty(database_url: str) -> Iterator[Engine]:
    database = open_database(database_url, role="test")
    yield database
    database.dispose()


def steps() -> list[str]:
    """Return every step of the migrations, the first one first."""
    config = Config()
    config.set_main_option("script_location", "taskcfg_migrations:")
    config.set_main_option("path_separator", "os")
    return [script.revision for script in ScriptDirectory.from_config(config).walk_revisions()][::-1]


def tables_of(database: Engine) -> dict[str, Any]:
    """Return everything that can be read back about the tables, in a form that compares."""
    with reading(database) as connection:
        seen = inspect(connection)
        found: dict[str, Any] = {}
        for table in sorted(set(seen.get_table_names()) - {VERSION_TABLE}):
            columns = [
                (c["name"], str(c["type"]), c["nullable"], c["default"]) for c in seen.get_columns(table)
            ]
            indexes = [
                (i["name"], i["column_names"], bool(i["unique"]), _where(i))
                for i in seen.get_indexes(table)
                if not i.get("duplicates_constraint")
            ]
            found[table] = {
                "columns": columns,
                "indexes": sorted(indexes),
                "key": seen.get_pk_constraint(table),
                "foreign": sorted(map(str, seen.get_foreign_keys(table))),
                "unique": sorted(map(str, seen.get_unique_constraints(table))),
            }
            if connection.dialect.name == "postgresql":
                storage = text("SELECT reloptions FROM pg_class WHERE oid = CAST(:name AS regclass)")
                found[table]["storage"] = connection.scalar(storage, {"name": table})
        return found


def _where(index: Any) -> str | None:
    options = index.get("dialect_options", {})
    where = options.get("postgresql_where", options.get("sqlite_where"))
    return None if where is None else str(where)


def test_upgrading_from_nothing_gives_the_tables_of_the_code(
    empty: Engine, make_empty: Callable[[], Engine]
) -> None:
    schema.upgrade(empty)
    declared = make_empty()
    with writing(declared) as connection:
        metadata.create_all(connection)

    with reading(empty) as connection:
        options = {"compare_type": True, "compare_server_default": True, "version_table": VERSION_TABLE}
        context = MigrationContext.configure(connection, opts=options)
        assert compare_metadata(context, metadata) == []
    assert tables_of(empty) == tables_of(declared)


def test_each_step_goes_down_and_up_again(empty: Engine) -> None:
    for step in steps():
        schema.step(empty, step)
        there = tables_of(empty)
        schema.downgrade(empty, "-1")
        before = tables_of(empty)
        schema.step(empty, step)

        assert before != there
        assert tables_of(empty) == there
    schema.downgrade(empty, "base")

    assert schema.current(empty) is None
    assert tables_of(empty) == {}


def test_the_newest_step_is_the_version_the_code_asks_for() -> None:
    assert steps()[-1] == schema.NEWEST


def test_upgrading_again_changes_nothing_and_keeps_the_identity(empty: Engine) -> None:
    schema.upgrade(empty)
    with reading(empty) as connection:
        identity = database_uuid(connection)

    schema.upgrade(empty)

    assert schema.current(empty) == schema.NEWEST
    with reading(empty) as connection:
        assert database_uuid(connection) == identity


def test_changes_that_were_recorded_without_their_row_get_it(empty: Engine) -> None:
    schema.upgrade(empty)
    World(empty).add(make_spec("a"), make_spec("b"))
    recorded = [
        {"name": name, "action": "create", "before": None, "after": {}} for name in ("b", "a", "gone")
    ]
    values = {"source": "main", "actor": "me", "summary": {}, "created_at": datetime(2026, 1, 1, tzinfo=UTC)}
    while schema.current(empty) != "0002":
        schema.downgrade(empty, "-1")
    with writing(empty) as connection:
        connection.execute(revision.insert().values(changes=recorded, **values))

    schema.upgrade(empty)

    with reading(empty) as connection:
        ids = {row.name: row.id for row in connection.execute(select(task_config.c.name, task_config.c.id))}
        changes = connection.scalar(select(revision.c.changes))
    assert changes == [recorded[0] | {"id": ids["b"]}, recorded[1] | {"id": ids["a"]}, recorded[2]]


class TestCheck:
    """Each command looks first whether the tables are its own version's."""

    def test_missing_tables(self, empty: Engine) -> None:
        with pytest.raises(SchemaMismatch, match="has no tables yet") as caught:
            schema.check(empty)

        assert caught.value.hint == "run `taskcfg db upgrade`"
        assert schema.current(empty) is None

    def test_the_right_tables(self, empty: Engine) -> None:
        schema.upgrade(empty)

        schema.check(empty)

    def test_older_tables(self, empty: Engine) -> None:
        self.pretend(empty, "0000")

        with pytest.raises(
            SchemaMismatch, match=f"has schema 0000, and this version needs {schema.NEWEST}"
        ) as c:
            schema.check(empty)

        assert c.value.hint == "run `taskcfg db upgrade`"

    def test_newer_tables(self, empty: Engine) -> None:
        self.pretend(empty, "9999")

        for action in (schema.check, schema.upgrade):
            with pytest.raises(SchemaMismatch, match="has schema 9999, newer than this version's") as caught:
                action(empty)
            assert caught.value.hint == "upgrade taskcfg"

    def test_it_is_one_query(self, empty: Engine, count_statements: Callable[[Engine], list[str]]) -> None:
        schema.upgrade(empty)
        statements = count_statements(empty)

        schema.check(empty)

        assert [line.split()[0] for line in statements] in (["SELECT"], ["BEGIN", "SELECT"])

    @staticmethod
    def pretend(database: Engine, version: str) -> None:
        schema.upgrade(database)
        with writing(database) as connection:
            connection.execute(text(f"UPDATE {VERSION_TABLE} SET version_num = :v"), {"v": version})


class TestVersionTrigger:
    """Whoever changes what a task is, raises its version; whoever moves it along does not."""

    @pytest.fixture
    def world(self, empty: Engine) -> World:
        schema.upgrade(empty)
        world = World(empty)
        world.add(make_spec())
        return world

    @pytest.mark.parametrize("column", SPEC_COLUMNS)
    def test_a_change_of_any_spec_column_raises_it(self, world: World, column: str) -> None:
        kind = task_config.c[column].type.python_type
        value: Any = {bool: not world.task("nightly")._mapping[column], int: 9, str: "other"}.get(
            kind, {"a": 1}
        )

        with writing(world.database) as connection:
            connection.execute(task_config.update().values({column: value}))

        (row,) = world.tasks().values()
        assert (row.version, row.applied_version) == (2, 1)

    def test_a_change_from_nothing_and_to_nothing_counts(self, world: World) -> None:
        world.change_task("nightly", owner="ann")
        world.change_task("nightly", owner=None)

        assert world.task("nightly").version == 3

    def test_writing_the_same_again_does_not(self, world: World) -> None:
        row = world.task("nightly")._mapping

        world.change_task("nightly", **{column: row[column] for column in SPEC_COLUMNS})

        assert world.task("nightly").version == 1

    def test_moving_along_does_not(self, world: World) -> None:
        others = set(task_config.c.keys()) - set(SPEC_COLUMNS) - {"id", "version"}
        row = world.task("nightly")._mapping
        changed = {name: _another(row[name], task_config.c[name].type.python_type) for name in others}

        world.change_task("nightly", **changed)

        assert world.task("nightly").version == 1

    def test_nobody_can_set_it_back_while_changing_the_task(self, world: World) -> None:
        world.change_task("nightly", priority=1)
        world.change_task("nightly", priority=2, version=1)

        assert world.task("nightly").version == 3

    def test_a_client_that_knows_nothing_of_us_raises_it_too(self, world: World) -> None:
        with writing(world.database) as connection:
            policy = json.dumps({"timeout": 5})
            connection.exec_driver_sql(f"UPDATE task_config SET policy = '{policy}', description = 'x'")

        assert world.task("nightly").version == 2


def _another(value: Any, kind: type) -> Any:
    return {int: 7, str: "other"}.get(kind, datetime(2030, 1, 1, tzinfo=UTC))


def test_two_processes_that_upgrade_at_once_both_succeed(empty: Engine) -> None:
    url = empty.url.render_as_string(hide_password=False)
    context = multiprocessing.get_context("spawn")
    processes = [context.Process(target=upgrade, args=(url,)) for _ in range(3)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(60)

    assert [process.exitcode for process in processes] == [0, 0, 0]
    schema.check(empty)


def upgrade(url: str) -> None:
    database = open_database(url, role="test")
    schema.upgrade(database)
    schema.check(database)
    database.dispose()
