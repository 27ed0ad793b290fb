"""Hints say that something changed, and are never needed for anything to be right."""

import threading
from collections.abc import Iterator

import pytest
from sqlalchemy import Engine, create_engine, make_url, text
from sqlalchemy.pool import NullPool

from services.proxy import proxy_for
from taskcfg.store import hints
from taskcfg.store.database import open_database, writing
from taskcfg.store.hints import Hints
from taskcfg.store.settings_table import write_setting
from waiting import eventually


@pytest.fixture
def listener(database: Engine) -> Iterator[Hints]:
    listener = Hints(database)
    # the first wait with a connection says: look, something may have been missed
    assert listener.wait(5)
    yield listener
    listener.close()


def tell(database: Engine) -> None:
    with writing(database) as connection:
        write_setting(connection, "a", "1")
        hints.notify(connection)


def test_a_change_by_another_connection_is_heard(database: Engine, listener: Hints) -> None:
    tell(database)

    assert listener.wait(30)


def test_one_change_is_one_hint(database: Engine, listener: Hints) -> None:
    tell(database)
    assert listener.wait(30)

    assert not listener.wait(0.05)


def test_nothing_changed_is_no_hint(listener: Hints) -> None:
    assert not listener.wait(0.05)


def test_what_was_rolled_back_is_no_hint(database: Engine, listener: Hints) -> None:
    def fail() -> None:
        with writing(database) as connection:
            write_setting(connection, "a", "1")
            hints.notify(connection)
            raise KeyError("a")

    with pytest.raises(KeyError):
        fail()

    assert not listener.wait(0.05)


def test_a_wait_can_be_cut_short(listener: Hints) -> None:
    answers: list[bool] = []
    thread = threading.Thread(target=lambda: answers.append(listener.wait(600)))
    thread.start()

    listener.wake()
    thread.join(30)

    assert answers == [False]


def test_after_a_lost_connection_it_says_look(postgres_url: str) -> None:
    database = open_database(postgres_url, role="test")
    listener = Hints(database)
    assert listener.wait(5)
    with writing(database) as connection:
        connection.execute(
            text(
                "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
                " WHERE datname = current_database() AND application_name = 'taskcfg hints'"
            )
        )

    eventually(lambda: listener.wait(0.05))
    with writing(database) as connection:
        hints.notify(connection)
    assert listener.wait(30)

    listener.close()
    database.dispose()


def test_without_a_database_it_only_waits() -> None:
    database = open_database("postgresql://127.0.0.1:1/nowhere", role="test")
    listener = Hints(database)

    assert [listener.wait(0.01) for _ in range(3)] == [False] * 3

    listener.close()
    database.dispose()


@pytest.fixture
def elsewhere(postgres_url: str) -> Iterator[str]:
    """The URL of another database on the same server."""
    url = make_url(postgres_url)
    server = create_engine(url, isolation_level="AUTOCOMMIT", poolclass=NullPool)
    name = f"{url.database}_elsewhere"
    with server.connect() as connection:
        connection.execute(text(f"CREATE DATABASE {name}"))
        yield url.set(database=name).render_as_string(hide_password=False)
        connection.execute(text(f"DROP DATABASE {name} WITH (FORCE)"))
    server.dispose()


def test_a_way_around_to_another_database_is_told_once(
    postgres_url: str, elsewhere: str, caplog: pytest.LogCaptureFixture
) -> None:
    database = open_database(postgres_url, role="test")
    listener = Hints(database, elsewhere)

    with caplog.at_level("WARNING", logger="taskcfg.store"):
        waits = [listener.wait(0.01) for _ in range(3)]

    assert waits == [True, False, False]  # the first only says: look
    assert [record.getMessage() for record in caplog.records] == [
        f"hints.none reason={hints.ELSEWHERE!r}: changes are seen within 1 s"
    ]
    assert hints.why_deaf(database, elsewhere) == hints.ELSEWHERE
    assert hints.why_deaf(database, postgres_url) is None
    assert hints.why_deaf(database, None) is None
    listener.close()
    database.dispose()


def test_a_way_around_that_leads_nowhere_is_told_once_and_taken_when_it_is_there(
    postgres_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    database = open_database(postgres_url, role="test")
    proxy = proxy_for(postgres_url)
    listener = Hints(database, proxy.url_for(postgres_url))
    proxy.cut()

    with caplog.at_level("WARNING", logger="taskcfg.store"):
        waits = [listener.wait(0.01) for _ in range(3)]
    proxy.restore()
    back = listener.wait(5)
    with writing(database) as connection:
        hints.notify(connection)

    assert (waits, back) == ([False] * 3, True)
    (record,) = caplog.records
    assert "no connection to database_direct_url" in record.getMessage()
    assert listener.wait(30)
    listener.close()
    proxy.close()
    database.dispose()
