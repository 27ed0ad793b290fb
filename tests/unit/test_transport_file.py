"""The broker's file: forks, and all that can stand in the way."""

from __future__ import annotations

import os
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from brokers import Brokers, child, in_child
from taskcfg.transport.broker_file import BrokerFileError


@pytest.fixture
def connect(tmp_path: Path) -> Iterator[Brokers]:
    with closing(Brokers(tmp_path / "broker.db")) as brokers:
        yield brokers


def test_no_connection_is_open_across_a_fork(connect: Brokers) -> None:
    broker = connect()
    broker.put("work")

    def look() -> None:
        links = [
            os.readlink(f"/proc/self/fd/{fd}") for fd in range(100) if os.path.lexists(f"/proc/self/fd/{fd}")
        ]
        assert links and not [link for link in links if link.startswith(str(connect.path))]

    in_child(look)


def test_what_a_child_writes_survives_whoever_closes_the_file_meanwhile(connect: Brokers) -> None:
    parent = connect()
    parent.put("parent's")
    ready, go_on = os.pipe(), os.pipe()

    def publish() -> None:
        parent.put("child's, before")
        os.write(ready[1], b"x")
        os.read(go_on[0], 1)
        parent.put("child's, after")

    with child(publish):
        os.close(ready[1])
        os.read(ready[0], 1)
        parent.file.close()
        visitor = connect()
        visitor.queue.size("work")
        visitor.file.close()  # who is the last to close takes the write-ahead log away
        os.write(go_on[1], b"x")
    for end in (ready[0], *go_on):
        os.close(end)

    assert connect().take() == ["parent's", "child's, before", "child's, after"]


def test_a_full_disk_is_a_clear_error_and_stores_nothing(connect: Brokers) -> None:
    broker = connect(max_bytes=200_000)

    with pytest.raises(
        BrokerFileError, match=r"broker\.db: there is no room left \(database or disk is full\)"
    ) as full:
        broker.put("x" * 300_000)

    assert full.value.transient
    assert full.value.hint == "free some space on the disk"
    broker.put("small")
    assert broker.take() == ["small"]


def test_a_file_that_may_only_be_read_is_a_clear_error() -> None:
    with tempfile.TemporaryDirectory() as folder, closing(Brokers(Path(folder, "broker.db"))) as connect:
        connect().put("work")
        connect.path.chmod(0o444)
        Path(folder).chmod(0o555)

        def write() -> None:
            if os.geteuid() == 0:
                os.setuid(65534)  # root may write everything
            with pytest.raises(BrokerFileError, match=r"it cannot be \w+ \("):
                connect().put("more")

        in_child(write)
        Path(folder).chmod(0o755)


def test_an_acknowledgement_that_finds_the_file_locked_is_made_up_for(connect: Brokers) -> None:
    broker = connect()
    broker.put("work")
    (delivery,) = broker.consumer.take(["work"], 1)
    blocker = sqlite3.connect(connect.path, isolation_level=None)
    blocker.execute("BEGIN IMMEDIATE")

    broker.consumer.ack(delivery.receipt)
    blocker.close()
    broker.consumer.beat()
    broker.consumer.leave()

    assert connect().take() == []


def test_a_publisher_that_finds_the_file_locked_is_told_so(connect: Brokers) -> None:
    broker = connect()
    broker.put("work")
    blocker = sqlite3.connect(connect.path, isolation_level=None)
    blocker.execute("BEGIN IMMEDIATE")

    with pytest.raises(BrokerFileError, match="kept it locked for too long") as locked:
        broker.put("more")

    blocker.close()
    assert locked.value.transient
    assert broker.take() == ["work"]


def test_a_file_that_was_taken_away_is_noticed_before_anything_is_lost(connect: Brokers) -> None:
    broker = connect()
    broker.put("work")
    connect.path.unlink()

    with pytest.raises(BrokerFileError, match="moved or deleted"):
        broker.put("more")

    assert not broker.file.is_usable
    assert not connect.path.exists()


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"SQLite? Not at all. " * 500, "it is no broker file"),
        (None, "it holds the tables of something else"),
    ],
)
def test_a_file_of_something_else_is_refused_and_left_as_it_is(
    connect: Brokers, content: bytes | None, reason: str
) -> None:
    if content is None:
        other = sqlite3.connect(connect.path)
        other.execute("CREATE TABLE task_config (id)")
        other.close()
    else:
        connect.path.write_bytes(content)
    before = connect.path.read_bytes()

    with pytest.raises(BrokerFileError, match=reason):
        connect().put("work")

    assert connect.path.read_bytes() == before


def test_a_folder_that_is_missing_is_made_but_not_a_whole_path(tmp_path: Path) -> None:
    with closing(Brokers(tmp_path / "new" / "broker.db")) as connect:
        connect().put("work")

    with (
        closing(Brokers(tmp_path / "no" / "such" / "broker.db")) as connect,
        pytest.raises(BrokerFileError, match="its folder cannot be made"),
    ):
        connect().put("work")


def test_the_token_changes_whenever_anybody_writes_and_only_then(connect: Brokers) -> None:
    one, other = connect(), connect()
    one.put("a")
    token = one.file.change_token()
    assert one.file.change_token() == token

    other.put("b")
    seen = one.file.change_token()
    one.put("c")

    assert len({token, seen, one.file.change_token()}) == 3
