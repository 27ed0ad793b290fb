"""RabbitMQ for tests: the system's broker, a fresh vhost for each test where we may make one."""

import itertools
import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import quote, urlsplit, urlunsplit

from kombu import Connection

from services import children
from services.required import Missing

DEFAULT_URL = "amqp://guest:guest@127.0.0.1:5672//"
PREFIX = "taskcfg-test"
BATCH = 5
LOCAL = {"127.0.0.1", "localhost", "::1"}


def answers(url: str) -> str | None:
    """Return why the broker at *url* cannot be used, or None when it can."""
    with Connection(url, connect_timeout=3) as connection:
        try:
            connection.connect()
        except connection.connection_errors as error:
            return f"{type(error).__name__}: {error}"
        except OSError as error:
            return str(error)
    return None


def with_vhost(url: str, vhost: str) -> str:
    parts = urlsplit(url)
    return urlunsplit((parts.scheme, parts.netloc, "/" + quote(vhost, safe=""), "", ""))


class Vhosts:
    """Fresh vhosts, made by `rabbitmqctl` in batches (one call costs 0.4 s) and deleted in the background.

    A vhost is the only thing that separates everything Celery uses: queues,
    remote control, events. Deleting it also closes whatever is still connected.
    """

    def __init__(self, url: str) -> None:
        self._url = url
        self._user = urlsplit(url).username or "guest"
        self._numbers = itertools.count(1)
        self._ready: list[str] = []
        self._deleting: list[subprocess.Popen[bytes]] = []

    def make(self) -> bool:
        """Make the next batch; False when this user or this broker does not allow it."""
        names = [f"{PREFIX}-{os.getpid()}-{next(self._numbers)}" for _ in range(BATCH)]
        every = {"user": self._user, "configure": ".*", "write": ".*", "read": ".*"}
        definitions = {
            "vhosts": [{"name": name} for name in names],
            "permissions": [{"vhost": name, **every} for name in names],
        }
        done = rabbitmqctl("import_definitions", "--format", "json", stdin=json.dumps(definitions))
        if done is None or done.returncode or answers(with_vhost(self._url, names[0])):
            return False
        self._ready += names
        return True

    @contextmanager
    def fresh(self) -> Iterator[str]:
        """Yield the URL of an empty vhost; delete it afterwards."""
        if not self._ready and not self.make():
            raise RuntimeError("rabbitmqctl made vhosts before, and now refuses to")
        name = self._ready.pop(0)
        try:
            yield with_vhost(self._url, name)
        finally:
            self._delete(name)

    def close(self) -> None:
        """Delete what was made ahead and wait for deletions under way."""
        for name in self._ready:
            self._delete(name)
        for deleting in self._deleting:
            deleting.wait(60)

    def sweep(self) -> None:
        """Delete vhosts that killed test runs of this machine left behind."""
        listed = rabbitmqctl("list_vhosts", "name", "--no-table-headers")
        for name in (listed.stdout if listed else "").split():
            pid = name.removeprefix(f"{PREFIX}-").split("-")[0]
            if name.startswith(f"{PREFIX}-") and pid.isdigit() and not children.alive(int(pid)):
                self._delete(name)

    def _delete(self, name: str) -> None:
        self._deleting.append(
            subprocess.Popen(
                ["rabbitmqctl", "-q", "delete_vhost", name],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
        )


def rabbitmqctl(*arguments: str, stdin: str = "") -> subprocess.CompletedProcess[str] | None:
    """Run `rabbitmqctl`; None where there is none."""
    if shutil.which("rabbitmqctl") is None:
        return None
    return subprocess.run(
        ["rabbitmqctl", "-q", *arguments],
        input=stdin,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@contextmanager
def any_broker() -> Iterator["Broker"]:
    """Yield the broker to test with; raise Missing without one."""
    given = os.environ.get("TASKCFG_TEST_RABBITMQ_URL")
    url = given or DEFAULT_URL
    if reason := answers(url):
        if given:
            raise RuntimeError(f"TASKCFG_TEST_RABBITMQ_URL does not answer: {reason}")
        raise Missing("no broker at 127.0.0.1:5672; start one or set TASKCFG_TEST_RABBITMQ_URL")
    vhosts = Vhosts(url)
    may_make = urlsplit(url).hostname in LOCAL and vhosts.make()
    if may_make:
        vhosts.sweep()
    try:
        yield Broker(url, vhosts if may_make else None)
    finally:
        vhosts.close()


class Broker:
    """A RabbitMQ server, and the best isolation it allows."""

    def __init__(self, url: str, vhosts: Vhosts | None) -> None:
        self._url = url
        self._vhosts = vhosts

    @contextmanager
    def isolated(self) -> Iterator[str]:
        """Yield an AMQP URL for one test.

        It is a fresh vhost where we may make one. Else it is the given URL's own
        vhost with Celery's default queue deleted before and after, and tests
        stay apart by putting `queue_prefix` before every other queue's name.
        """
        if self._vhosts:
            with self._vhosts.fresh() as url:
                yield url
            return
        delete_queue(self._url, "celery")
        yield self._url
        delete_queue(self._url, "celery")


def delete_queue(url: str, name: str) -> None:
    with Connection(url) as connection, connection.channel() as channel:
        channel.queue_delete(name)
