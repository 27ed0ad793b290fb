"""The scheduler's port: two questions, answered at once, whoever asks and however badly."""

import http.client
import json
import socket
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from taskcfg.daemon import probes
from taskcfg.daemon.health import Vitals
from taskcfg.daemon.probes import MOST_AT_ONCE, Probes, answer
from taskcfg.errors import TaskcfgError
from waiting import eventually

WELL = Vitals()
DEAD = replace(WELL, dead=("firing",))
AWAY = replace(WELL, database="it does not answer", broker=3.0)


class Asked:
    """A server over vitals that a test sets."""

    def __init__(self) -> None:
        self.vitals = WELL
        self.probes = Probes("127.0.0.1", 0, lambda: self.vitals)

    def connect(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.probes.port), timeout=30)

    def ask(self, path: str, method: str = "GET") -> tuple[int, Any]:
        connection = http.client.HTTPConnection("127.0.0.1", self.probes.port, timeout=30)
        try:
            connection.request(method, path)
            response = connection.getresponse()
            body = response.read()
            assert int(response.headers["Content-Length"]) >= len(body)
            return response.status, json.loads(body) if body else None
        finally:
            connection.close()

    def say(self, text: bytes) -> bytes:
        with self.connect() as line:
            line.sendall(text)
            line.shutdown(socket.SHUT_WR)
            heard = b""
            while octets := line.recv(4096):
                heard += octets
            return heard


@pytest.fixture
def asked() -> Iterator[Asked]:
    asked = Asked()
    yield asked
    asked.probes.close()


@pytest.mark.parametrize(
    ("vitals", "live", "ready"),
    [(WELL, 200, 200), (AWAY, 200, 503), (DEAD, 503, 503), (replace(WELL, stopping=True), 200, 503)],
    ids=["well", "no database", "a dead loop", "stopping"],
)
def test_the_status_says_it_and_the_document_why(asked: Asked, vitals: Vitals, live: int, ready: int) -> None:
    asked.vitals = vitals

    lives, readies = asked.ask("/livez"), asked.ask("/readyz?verbose=1")

    assert (lives[0], readies[0]) == (live, ready)
    assert lives[1]["live"] is (live == 200)
    assert readies[1]["ready"] is (ready == 200)
    assert bool(readies[1]["reasons"]) is (ready == 503)


def test_a_broker_that_is_away_is_named(asked: Asked) -> None:
    asked.vitals = replace(WELL, broker=3.0)

    assert asked.ask("/readyz") == (
        200,
        {"ready": True, "reasons": [], "notes": ["the broker is away for 3 s: fires are recorded, and wait"]},
    )


def test_head_says_the_same_without_the_document(asked: Asked) -> None:
    asked.vitals = DEAD

    assert asked.ask("/livez", "HEAD") == (503, None)


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (b"GET /metrics HTTP/1.1\r\n\r\n", 404),
        (b"GET / HTTP/1.0\n\n", 404),
        (b"POST /livez HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc", 405),
        (b"nonsense\r\n\r\n", 400),
        (b"\x00\xff\xfe \xe9\r\n\r\n", 400),
        (b"GET /livez HTTP/1.1\r\nHost: x\r\n", 400),
        (b"", 400),
        (b"GET /" + b"a" * 8192, 431),
    ],
    ids=["metrics", "root", "post", "nonsense", "octets", "half", "nothing", "endless"],
)
def test_whatever_is_asked_there_is_an_answer(asked: Asked, request_: bytes, status: int) -> None:
    said = asked.say(request_)

    assert said.startswith(f"HTTP/1.1 {status} ".encode())
    assert asked.ask("/livez")[0] == 200


def test_that_metrics_are_not_there_yet_is_said() -> None:
    found, head = answer(b"GET /metrics HTTP/1.1\r\n\r\n", lambda: WELL)

    assert (found.status, head) == (404, False)
    assert found.document == {"error": "this version of taskcfg has no metrics"}


def test_slow_clients_hold_up_nobody_and_are_sent_away(asked: Asked, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(probes, "PATIENCE", 1.0)
    slow = [asked.connect() for _ in range(MOST_AT_ONCE - 1)]
    for line in slow:
        line.sendall(b"GET ")

    assert asked.ask("/livez")[0] == 200
    assert all(line.recv(100).startswith(b"HTTP/1.1 408") for line in slow)
    for line in slow:
        line.close()


def test_more_clients_than_there_are_places_are_closed_and_the_places_come_back(
    asked: Asked, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(probes, "PATIENCE", 2.0)
    crowd = [asked.connect() for _ in range(MOST_AT_ONCE * 2)]

    def answered() -> bool:
        try:
            return asked.ask("/livez")[0] == 200
        except (OSError, http.client.HTTPException):
            return False

    assert eventually(answered)
    for line in crowd:
        line.close()


def test_a_port_that_is_taken_is_said_with_what_to_do(asked: Asked) -> None:
    with pytest.raises(TaskcfgError) as refused:
        Probes("127.0.0.1", asked.probes.port, lambda: WELL)

    assert refused.value.message == (
        f"cannot listen on 127.0.0.1:{asked.probes.port}: Address already in use"
    )
    assert refused.value.hint is not None
    assert "metrics_port" in refused.value.hint


@pytest.mark.parametrize("host", ["256.1.1.1", "::zz"])
def test_a_place_that_is_none_is_an_error_too(host: str) -> None:
    with pytest.raises(TaskcfgError, match="cannot listen on") as refused:
        Probes(host, 0, lambda: WELL)

    assert "an address of this machine" in str(refused.value.hint)
