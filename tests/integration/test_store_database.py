"""The door to the database: transactions, locks, and what is said when it cannot be used."""

import os
import re
import signal
import sqlite3
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

import pytest
from sqlalchemy import Engine, select, text

from services.proxy import Proxy
from stored import opened
from taskcfg.errors import DatabaseUnavailable, InvalidSettings, LockTimeout, SchemaMismatch
from taskcfg.store.columns import db_now, in_seconds
from taskcfg.store.database import applying, database_time, open_database, reading, writing
from taskcfg.store.postgres import Limits
from taskcfg.store.settings_table import read_setting, write_setting
from waiting import eventually


@contextmanager
def door(url: str) -> Iterator[Engine]:
    database = open_database(url, role="test")
    try:
        yield database
    finally:
        database.dispose()


def one(database: Engine) -> int:
    with reading(database) as connection:
        value: int = connection.execute(select(1)).scalar_one()
        return value


class TestUrls:
    """What `database_url` may be."""

    @pytest.mark.parametrize(
        ("url", "said"),
        [
            ("mysql://root@localhost/x", "database_url: `mysql` is not supported"),
            ("postgresql+asyncpg://localhost/x", "database_url: `postgresql+asyncpg` is not supported"),
            ("not a url", "database_url is not a URL"),
            ("sqlite://", "database_url: taskcfg needs SQLite in a file, since several processes share it"),
            (
                "sqlite:///:memory:",
                "database_url: taskcfg needs SQLite in a file, since several processes share it",
            ),
        ],
    )
    def test_others_are_refused_in_words(self, url: str, said: str) -> None:
        with pytest.raises(InvalidSettings) as caught:
            open_database(url, role="test")

        assert caught.value.message == said

    @pytest.mark.parametrize("scheme", ["postgres", "postgresql", "postgresql+psycopg2"])
    def test_postgres_goes_by_several_names(self, postgres_url: str, scheme: str) -> None:
        with door(f"{scheme}:{postgres_url.partition(':')[2]}") as database:
            assert one(database) == 1

    def test_the_folder_of_a_file_is_made(self, tmp_path: Path) -> None:
        with door(f"sqlite:///{tmp_path / 'a' / 'b' / 'tasks.db'}") as database:
            assert one(database) == 1

        assert (tmp_path / "a" / "b" / "tasks.db").exists()

    def test_a_folder_that_cannot_be_made_is_said(self, tmp_path: Path) -> None:
        (tmp_path / "file").touch()

        with pytest.raises(DatabaseUnavailable, match="cannot be made: File exists"):
            open_database(f"sqlite:///{tmp_path / 'file' / 'tasks.db'}", role="test")


class TestTransactions:
    """All of it or none of it."""

    def test_what_raises_is_rolled_back(self, database: Engine) -> None:
        def fail() -> None:
            with writing(database) as connection:
                write_setting(connection, "a", "1")
                raise KeyError("a")

        with pytest.raises(KeyError):
            fail()

        with reading(database) as connection:
            assert read_setting(connection, "a") is None

    def test_a_setting_can_be_written_again(self, database: Engine) -> None:
        for value in ("1", "2"):
            with writing(database) as connection:
                write_setting(connection, "a", value)

        with reading(database) as connection:
            assert read_setting(connection, "a") == "2"

    def test_reading_goes_on_while_somebody_writes(self, database: Engine) -> None:
        with writing(database) as writer:
            write_setting(writer, "a", "1")
            with reading(database) as connection:
                assert read_setting(connection, "a") is None

    def test_time_stands_still_within_one(self, database: Engine) -> None:
        with reading(database) as connection:
            first = database_time(connection)
            eventually(lambda: self.time_of_another(database) > first, interval=0.001)

            assert database_time(connection) == first

    @staticmethod
    def time_of_another(database: Engine) -> datetime:
        with reading(database) as connection:
            return database_time(connection)

    def test_instants_can_be_reckoned_with_in_the_database(self, database: Engine) -> None:
        with reading(database) as connection:
            now, soon, before = connection.execute(
                select(db_now(), in_seconds(90.5), in_seconds(-3600))
            ).one()

        assert round((soon - now).total_seconds(), 1) == 90.5
        assert round((before - now).total_seconds()) == -3600
        assert now.tzinfo is not None

    def test_limits_end_with_their_transaction(self, postgres_url: str) -> None:
        with door(postgres_url) as database:
            with writing(database, Limits(statement=0.05, lock=1, idle=1)) as connection:
                within = connection.scalar(text("SHOW statement_timeout"))
            with writing(database) as connection:
                after = connection.scalar(text("SHOW statement_timeout"))

        assert (within, after) == ("50ms", "0")

    def test_a_statement_beyond_its_limit_is_ended(self, postgres_url: str) -> None:
        def crawl(database: Engine) -> None:
            with writing(database, Limits(statement=0.05, lock=1, idle=1)) as connection:
                connection.execute(text("SELECT pg_sleep(60)"))

        with (
            door(postgres_url) as database,
            pytest.raises(DatabaseUnavailable, match="a statement took too long"),
        ):
            crawl(database)


class TestApplyLock:
    """Two applies never hold the lock at once."""

    def test_the_second_is_told_when_its_patience_ends(self, database: Engine) -> None:
        def second() -> None:
            with applying(database, 0.05):
                pass

        with applying(database, 5, "alice@a"), pytest.raises(LockTimeout) as caught:
            second()

        said = r"another apply still holds the lock after 0.05 s: alice@a, since 20\d\d-\d\d-\d\dT[\d:.]+Z"
        assert re.fullmatch(said, caught.value.message)
        assert caught.value.hint == "wait for it and try again, or wait longer with `--lock-timeout`"

    def test_the_second_waits_and_its_time_is_that_of_its_turn(self, database: Engine) -> None:
        order: list[str] = []
        times = []
        waiting = threading.Event()

        def second() -> None:
            waiting.set()
            with applying(database, 30) as connection:
                order.append("second")
                times.append(database_time(connection))

        with applying(database, 5) as connection:
            thread = threading.Thread(target=second)
            thread.start()
            waiting.wait()
            if connection.dialect.name == "postgresql":
                eventually(lambda: self.somebody_waits(database))
            order.append("first")
            with reading(database) as other:
                times.append(database_time(other))
        thread.join()

        assert order == ["first", "second"]
        assert times[0] <= times[1]

    @staticmethod
    def somebody_waits(database: Engine) -> bool:
        with reading(database) as connection:
            waiting = text("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted")
            return bool(connection.scalar(waiting))

    def test_a_failed_apply_gives_it_up(self, database: Engine) -> None:
        def fail() -> None:
            with applying(database, 5):
                raise KeyError("a")

        with pytest.raises(KeyError):
            fail()

        with applying(database, 0.05):
            pass

    def test_ordinary_writers_keep_their_patience_afterwards(self, sqlite_url: str) -> None:
        with opened(sqlite_url) as database:
            with applying(database, 0.05):
                pass
            with writing(database) as connection:
                assert connection.scalar(text("PRAGMA busy_timeout")) == 15_000


class TestUnavailable:
    """One clear line, and never a password."""

    def test_a_server_that_is_not_there(self) -> None:
        url = "postgresql://ann:s3cret@127.0.0.1:1/tasks"
        with door(url) as database, pytest.raises(DatabaseUnavailable) as caught:
            one(database)

        assert caught.value.message == (
            "the database postgresql://ann:***@127.0.0.1:1/tasks cannot be used: Connection refused"
        )
        assert caught.value.hint == "is it running, and is `database_url` right?"

    def test_a_database_that_is_not_there(self, postgres_url: str) -> None:
        with door(postgres_url + "_not") as database, pytest.raises(DatabaseUnavailable) as caught:
            one(database)

        assert caught.value.message.endswith('_not" does not exist')
        assert "\n" not in caught.value.message

    def test_a_server_that_hangs_up(self, postgres_url: str, tcp_proxy: Callable[[str], Proxy]) -> None:
        proxy = tcp_proxy(postgres_url)

        def use(database: Engine) -> None:
            with reading(database) as connection:
                connection.execute(select(1))
                proxy.cut()
                connection.execute(select(1))

        with door(proxy.url_for(postgres_url)) as database:
            with pytest.raises(DatabaseUnavailable, match="broke off"):
                use(database)
            with pytest.raises(DatabaseUnavailable, match="Connection refused"):
                one(database)
            proxy.restore()
            assert one(database) == 1

    def test_idle_connections_that_the_server_closed_are_replaced_unnoticed(self, postgres_url: str) -> None:
        with door(postgres_url) as database, door(postgres_url) as other:
            one(database)
            end = text(
                "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
                " WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
            with reading(other) as connection:
                assert connection.scalars(end).all() == [True]

            assert one(database) == 1

    def test_a_file_that_is_no_database(self, tmp_path: Path) -> None:
        (tmp_path / "x.db").write_text("hello, this is a letter\n" * 100)

        with door(f"sqlite:///{tmp_path / 'x.db'}") as database, pytest.raises(DatabaseUnavailable) as caught:
            one(database)

        assert caught.value.message == f"the database {tmp_path / 'x.db'} is not a database"

    def test_a_path_that_cannot_be_opened(self, tmp_path: Path) -> None:
        with (
            door(f"sqlite:///{tmp_path}") as database,
            pytest.raises(DatabaseUnavailable, match="cannot be opened"),
        ):
            one(database)

    def test_a_database_that_may_only_be_read(self, sqlite_url: str) -> None:
        def write(database: Engine) -> None:
            with writing(database) as connection:
                connection.exec_driver_sql("PRAGMA query_only = ON")
                write_setting(connection, "a", "1")

        with opened(sqlite_url) as database, pytest.raises(DatabaseUnavailable, match="is read-only"):
            write(database)

    def test_a_disk_that_is_full(self, sqlite_url: str) -> None:
        def fill(database: Engine) -> None:
            with writing(database) as connection:
                connection.exec_driver_sql("PRAGMA max_page_count = 1")
                write_setting(connection, "a", "x" * 1_000_000)

        with opened(sqlite_url) as database, pytest.raises(DatabaseUnavailable, match="the disk is full"):
            fill(database)

    def test_a_file_that_another_process_keeps_locked(
        self, sqlite_url: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("taskcfg.store.sqlite.BUSY_TIMEOUT", 0.05)
        with opened(sqlite_url) as database:
            other = sqlite3.connect(database.url.database or "", isolation_level=None)
            other.execute("BEGIN IMMEDIATE")
            with pytest.raises(DatabaseUnavailable, match="is locked by another process"), writing(database):
                pass
            other.close()

    def test_tables_that_are_gone(self, database: Engine) -> None:
        with writing(database) as connection:
            connection.execute(text("DROP TABLE setting"))

        def read() -> None:
            with reading(database) as connection:
                read_setting(connection, "a")

        with pytest.raises(SchemaMismatch) as caught:
            read()

        assert caught.value.hint == "run `taskcfg db upgrade`"


class TestForks:
    """A worker forks its pool: parent and children must not share what is open."""

    def test_a_child_opens_its_own_and_leaves_the_parents_alone(self, database: Engine) -> None:
        with writing(database) as connection:
            write_setting(connection, "a", "1")

        codes = [self.forked(database) for _ in range(2)]

        assert codes == [0, 0]
        with writing(database) as connection:
            assert read_setting(connection, "a") == "1"
            write_setting(connection, "b", "2")

    def test_a_fork_waits_for_a_transaction_of_another_thread(self, sqlite_url: str) -> None:
        done: list[str] = []
        entered = threading.Event()
        main = threading.get_ident()

        def work(database: Engine) -> None:
            with writing(database) as connection:
                write_setting(connection, "a", "1")
                entered.set()
                eventually(lambda: forking(main), interval=0.001)
            done.append("committed")

        with opened(sqlite_url) as database:
            thread = threading.Thread(target=work, args=(database,))
            thread.start()
            entered.wait()

            code = self.forked(database)

            assert (code, done) == (0, ["committed"])
            thread.join()

    @staticmethod
    def forked(database: Engine) -> int:
        pid = os.fork()
        if pid == 0:
            # whatever happens here, this process must not return into pytest
            code = 1
            try:
                signal.alarm(20)
                with reading(database) as connection:
                    code = 0 if read_setting(connection, "a") == "1" else 2
            finally:
                os._exit(code)
        return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])

    def test_sqlite_files_are_closed_before_a_fork(self, sqlite_url: str) -> None:
        with opened(sqlite_url) as database:
            one(database)
            assert open_files(sqlite_url) > 0

            pid = os.fork()
            if pid == 0:
                os._exit(open_files(sqlite_url))

            assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
            assert one(database) == 1


def forking(thread: int) -> bool:
    """Say whether *thread* is inside what happens before a fork."""
    frame = sys._current_frames().get(thread)
    while frame is not None:
        if frame.f_code.co_filename.endswith("store/forks.py"):
            return True
        frame = frame.f_back
    return False


def open_files(url: str) -> int:
    """Return how often this process has the file, its log or its index open."""
    names = [os.path.realpath(link) for link in Path("/proc/self/fd").iterdir()]
    return sum(name.startswith(url.removeprefix("sqlite:///")) for name in names)
