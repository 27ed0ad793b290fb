"""What systemd is told, as sd_notify(3) has it: one datagram a message, and never a fault of ours."""

import os
import socket
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from taskcfg.systemd import Notifier, take_notifier


@pytest.fixture(params=["a file", "the abstract namespace"])
def listening(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[str, socket.socket]]:
    """A socket as systemd opens it, and its name as it says it."""
    name = str(tmp_path / "notify") if request.param == "a file" else f"@taskcfg-{uuid.uuid4().hex}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as ear:
        ear.bind(name.replace("@", "\0", 1))
        ear.settimeout(30)
        yield name, ear


def test_each_message_arrives_by_itself(listening: tuple[str, socket.socket]) -> None:
    name, ear = listening
    notifier = Notifier({"NOTIFY_SOCKET": name})

    notifier.ready()
    notifier.alive()
    notifier.still_starting(1.5)
    notifier.status("two\nlines")
    notifier.status("two lines")
    notifier.stopping()

    heard = [ear.recv(1000).decode() for _ in range(5)]
    assert heard == ["READY=1", "WATCHDOG=1", "EXTEND_TIMEOUT_USEC=1500000", "STATUS=two lines", "STOPPING=1"]


@pytest.mark.parametrize("name", ["", "/nowhere/notify", "@nobody-listens", "vsock:2:1234"])
def test_where_nobody_listens_nothing_happens(name: str) -> None:
    Notifier({"NOTIFY_SOCKET": name}).ready()


def test_the_processes_it_starts_are_not_told_of_it() -> None:
    environ = {"NOTIFY_SOCKET": "/run/x", "WATCHDOG_USEC": "3000000", "WATCHDOG_PID": "1", "PATH": "/bin"}

    take_notifier(environ)

    assert environ == {"PATH": "/bin"}


@pytest.mark.parametrize(
    ("said", "seconds"),
    [
        ({"WATCHDOG_USEC": "3000000"}, 1.5),
        ({"WATCHDOG_USEC": "3000000", "WATCHDOG_PID": str(os.getpid())}, 1.5),
        ({"WATCHDOG_USEC": "3000000", "WATCHDOG_PID": "1"}, None),
        ({"WATCHDOG_USEC": "0"}, None),
        ({"WATCHDOG_USEC": "soon"}, None),
        ({}, None),
    ],
    ids=["of all", "ours", "another process's", "zero", "no number", "none"],
)
def test_the_watchdog_is_told_at_half_its_time(said: dict[str, str], seconds: float | None) -> None:
    assert Notifier({"NOTIFY_SOCKET": "/run/x", **said}).watchdog == seconds
    assert Notifier(said).watchdog is None
