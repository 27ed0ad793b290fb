"""How a scheduler's life shows: its port, its watchdog, systemd, and an end in time whatever is frozen."""

import http.client
import json
import re
import signal
import socket
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from acceptance.project import Background, Project
from services.proxy import Proxy
from waiting import eventually

EVERY_SECOND = "tasks: {often: {type: cleanup, schedule: {every: 1s}, overlap: allow, params: %s}}\n"
PARAMS = "{target: files, path: var, pattern: '*', older_than: 1d}"

IMPATIENT = """
import logging, sys
logging.basicConfig(level=logging.INFO, format="%(name)s: %(message)s")
from taskcfg.daemon import health, service
from taskcfg.settings import load_settings
health.STEP_STUCK_AFTER = 3.0
sys.exit(service.run_scheduler(load_settings()))
"""


@pytest.fixture
def firing(project: Project) -> Project:
    """An embedded project whose one task fires every second."""
    return prepare(project)


@pytest.fixture
def served(production: Project) -> Project:
    """The same on PostgreSQL and RabbitMQ."""
    return prepare(production)


def prepare(project: Project) -> Project:
    project.write("tasks.d/often.yaml", EVERY_SECOND % PARAMS)
    (project.folder / "var").mkdir()
    project.ok("db", "upgrade")
    project.ok("apply", "--yes")
    return project


def ask(scheduler: Background, path: str) -> tuple[int, Any]:
    """Ask the scheduler's port; (0, None) when it does not answer."""
    port = int(scheduler.wait_for(lambda: re.findall(r"probes.started address=\S+:(\d+)", scheduler.err))[0])
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        connection.request("GET", path)
        response = connection.getresponse()
        return response.status, json.loads(response.read())
    except (OSError, http.client.HTTPException):
        return 0, None
    finally:
        connection.close()


def until_answered(scheduler: Background, path: str, status: int) -> Any:
    eventually(
        lambda: ask(scheduler, path)[0] == status, message=lambda: f"{ask(scheduler, path)}\n{scheduler}"
    )
    return ask(scheduler, path)[1]


class TestPort:
    """`/livez` and `/readyz`, as those who supervise it ask."""

    def test_one_that_fires_says_so(self, firing: Project) -> None:
        scheduler = firing.start("scheduler", "--metrics-port", "0")

        assert until_answered(scheduler, "/readyz", 200) == {"ready": True, "reasons": [], "notes": []}
        assert ask(scheduler, "/livez") == (200, {"live": True, "reasons": []})
        assert scheduler.stop(signal.SIGTERM).code == 0

    def test_without_a_port_none_is_opened(self, firing: Project) -> None:
        scheduler = firing.start("scheduler")
        scheduler.wait_for("scheduler.started")

        assert "probes.started" not in scheduler.err

    def test_a_port_that_is_taken_is_an_error(self, firing: Project) -> None:
        with socket.create_server(("127.0.0.1", 0)) as other:
            refused = firing.run("scheduler", "--metrics-port", str(other.getsockname()[1]))

        assert refused.code == 1
        assert "Address already in use" in refused.err
        assert "metrics_port" in refused.err

    def test_a_database_that_is_away_makes_it_unready_and_not_dead(
        self, served: Project, tcp_proxy: Callable[[str], Proxy]
    ) -> None:
        url = served.env["TASKCFG_DATABASE_URL"]
        database = tcp_proxy(url)
        database.cut()
        env = {"TASKCFG_DATABASE_URL": database.url_for(url)}
        scheduler = served.start("scheduler", "--metrics-port", "0", env=env)
        scheduler.wait_for("database.unavailable")
        before = until_answered(scheduler, "/readyz", 503)
        assert any("not joined" in reason for reason in before["reasons"]), before
        assert any("the database is away" in reason for reason in before["reasons"]), before

        database.restore()
        until_answered(scheduler, "/readyz", 200)
        database.cut()
        away = until_answered(scheduler, "/readyz", 503)
        assert "the database is away" in away["reasons"][0]
        assert ask(scheduler, "/livez")[0] == 200

        database.restore()
        until_answered(scheduler, "/readyz", 200)

    def test_a_broker_that_is_away_is_named(self, served: Project, tcp_proxy: Callable[[str], Proxy]) -> None:
        url = served.env["TASKCFG_BROKER_URL"]
        broker = tcp_proxy(url)
        scheduler = served.start(
            "scheduler", "--metrics-port", "0", env={"TASKCFG_BROKER_URL": broker.url_for(url)}
        )
        until_answered(scheduler, "/readyz", 200)

        broker.cut()
        eventually(lambda: ask(scheduler, "/readyz")[1]["notes"], message=lambda: str(scheduler))
        assert ask(scheduler, "/readyz")[0] == 200

        broker.restore()
        eventually(lambda: not ask(scheduler, "/readyz")[1]["notes"], message=lambda: str(scheduler))

    def test_while_it_stops_it_is_unready_and_lives(
        self, served: Project, tcp_proxy: Callable[[str], Proxy]
    ) -> None:
        url = served.env["TASKCFG_BROKER_URL"]
        broker = tcp_proxy(url)
        scheduler = served.start(
            "scheduler", "--metrics-port", "0", env={"TASKCFG_BROKER_URL": broker.url_for(url)}
        )
        until_answered(scheduler, "/readyz", 200)
        broker.freeze()

        scheduler.send(signal.SIGTERM)
        stopping = until_answered(scheduler, "/readyz", 503)

        assert "it is stopping" in stopping["reasons"]
        assert ask(scheduler, "/livez")[0] in (200, 0)
        broker.restore()
        assert scheduler.end("SIGTERM", 60).code == 0


class TestWatchdog:
    """A scheduler that cannot fire any more ends itself, for whoever supervises it."""

    @pytest.mark.parametrize("step", [1, 5, 12, 17])
    def test_a_loop_that_died_ends_the_process_whichever_it_is(self, firing: Project, step: int) -> None:
        rule = f"loop.before_step=error@{step}"
        scheduler = firing.start("scheduler", env={"TASKCFG_FAILPOINTS": rule}, traceback_ok=True)

        ended = scheduler.end("its watchdog", 60)

        assert ended.code == 1, str(ended)
        assert re.search(r"scheduler\.stuck reason='loop `\w+` has died'", ended.err), str(ended)
        assert "FailpointReached" in ended.err

    def test_a_relay_that_is_stuck_ends_the_process(self, firing: Project) -> None:
        scheduler = firing.start(
            "-c",
            IMPATIENT,
            program=sys.executable,
            env={"TASKCFG_FAILPOINTS": "relay.before_publish=pause:600"},
        )

        ended = scheduler.end("its watchdog", 90)

        assert ended.code == 1, str(ended)
        assert re.search(r"scheduler\.stuck reason='loop `relay` is stuck for \d+ s'", ended.err), str(ended)


class TestSystemd:
    """`Type=notify`: what a unit's process says to the socket it was given."""

    @pytest.fixture
    def ear(self, tmp_path: Path) -> Iterator[tuple[str, list[str], Callable[[], list[str]]]]:
        name = str(tmp_path / "notify")
        heard: list[str] = []
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
            listener.bind(name)
            listener.setblocking(False)

            def listen() -> list[str]:
                try:
                    while True:
                        heard.append(listener.recv(4096).decode())
                except BlockingIOError:
                    return heard

            yield name, heard, listen

    def test_a_scheduler_is_ready_after_its_first_pass_and_keeps_its_watchdog_fed(
        self, firing: Project, ear: tuple[str, list[str], Callable[[], list[str]]]
    ) -> None:
        name, heard, listen = ear
        scheduler = firing.start("scheduler", env={"NOTIFY_SOCKET": name, "WATCHDOG_USEC": "400000"})
        scheduler.wait_for(lambda: listen().count("WATCHDOG=1") >= 3)
        scheduler.wait_for(lambda: "STATUS=firing" in listen())

        assert scheduler.stop(signal.SIGTERM).code == 0

        listen()
        assert heard.index("READY=1") < heard.index("WATCHDOG=1") < heard.index("STOPPING=1")
        assert heard.count("READY=1") == heard.count("STOPPING=1") == 1

    def test_a_worker_is_ready_when_it_takes_messages(
        self, firing: Project, ear: tuple[str, list[str], Callable[[], list[str]]]
    ) -> None:
        name, _, listen = ear
        worker = firing.start("worker", env={"NOTIFY_SOCKET": name})
        worker.wait_for(lambda: "READY=1" in listen())
        assert "ready" in worker.err

        assert worker.stop(signal.SIGTERM).code == 0

        assert listen() == ["READY=1", "STOPPING=1"]


class TestEnding:
    """SIGTERM ends a process in time, whatever does not answer."""

    @pytest.mark.parametrize("frozen", ["TASKCFG_BROKER_URL", "TASKCFG_DATABASE_URL"])
    def test_a_scheduler_whose_services_are_frozen_ends_all_the_same(
        self, served: Project, tcp_proxy: Callable[[str], Proxy], frozen: str
    ) -> None:
        proxy = tcp_proxy(served.env[frozen])
        scheduler = served.start("scheduler", env={frozen: proxy.url_for(served.env[frozen])})
        scheduler.wait_for("scheduler.started")
        eventually(lambda: fires(served) > 1)
        proxy.freeze()

        stopped = scheduler.stop(signal.SIGTERM, timeout=60)

        assert stopped.code == 0, str(stopped)
        assert "scheduler.stopped" in stopped.err

    def test_a_scheduler_that_waits_for_a_frozen_database_ends_at_once(
        self, served: Project, tcp_proxy: Callable[[str], Proxy]
    ) -> None:
        url = served.env["TASKCFG_DATABASE_URL"]
        proxy = tcp_proxy(url)
        proxy.freeze()
        scheduler = served.start(
            "scheduler", "--metrics-port", "0", env={"TASKCFG_DATABASE_URL": proxy.url_for(url)}
        )
        until_answered(scheduler, "/livez", 200)

        assert scheduler.stop(signal.SIGTERM, timeout=60).code == 0

    @pytest.mark.parametrize("frozen", ["TASKCFG_BROKER_URL", "TASKCFG_DATABASE_URL"])
    def test_a_worker_whose_services_are_frozen_ends_all_the_same(
        self, served: Project, tcp_proxy: Callable[[str], Proxy], frozen: str
    ) -> None:
        proxy = tcp_proxy(served.env[frozen])
        worker = served.start("worker", env={frozen: proxy.url_for(served.env[frozen])}, traceback_ok=True)
        worker.wait_for("ready")
        proxy.freeze()

        worker.send(signal.SIGTERM)
        worker.wait_for("worker.stopping")
        worker.send(signal.SIGTERM)

        assert worker.end("the second signal", 60).code == 0


def fires(project: Project) -> int:
    return len(project.ok("events", "-o", "json").json["events"])
