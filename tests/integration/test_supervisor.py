"""The supervisor with real child processes: restarts what dies, leaves nothing behind."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from waiting import eventually

SUPERVISE = """
import sys
from pathlib import Path
from taskcfg.clock import SystemClock
from taskcfg.daemon.supervisor import Supervisor
import os
commands = {"one": [sys.executable, "-c", sys.argv[1]], "two": [sys.executable, "-c", sys.argv[1]]}
sys.exit(Supervisor(commands, SystemClock(), folder=Path.cwd(), environment=os.environ, out=sys.stdout).run())
"""
QUIET = "print('up', flush=True); import time; time.sleep(600)"
STUBBORN = f"import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); {QUIET}"

Start = Callable[[str], subprocess.Popen[str]]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    started: list[subprocess.Popen[str]] = []

    def start(child: str) -> subprocess.Popen[str]:
        output = (tmp_path / "output").open("w")
        process = subprocess.Popen(
            [sys.executable, "-c", SUPERVISE, child], stdout=output, text=True, cwd=tmp_path
        )
        output.close()
        started.append(process)
        eventually(lambda: (tmp_path / "output").read_text().count("| up") == 2)
        return process

    yield start
    for process in started:
        process.kill()
        process.wait()


def children(process: subprocess.Popen[str]) -> list[psutil.Process]:
    return psutil.Process(process.pid).children(recursive=True)


def gone(processes: list[psutil.Process]) -> bool:
    return not any(p.is_running() and p.status() != psutil.STATUS_ZOMBIE for p in processes)


def test_children_run_with_their_output_named(start: Start, tmp_path: Path) -> None:
    start(QUIET)

    lines = (tmp_path / "output").read_text().splitlines()
    assert sorted(lines) == ["one       | up", "two       | up"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_the_children_and_then_itself(start: Start, number: signal.Signals) -> None:
    supervisor = start(QUIET)
    family = children(supervisor)

    supervisor.send_signal(number)

    assert supervisor.wait(10) == 0
    assert gone(family)


def test_a_child_that_dies_is_started_again(start: Start, tmp_path: Path) -> None:
    supervisor = start(QUIET)
    victim = children(supervisor)[0]

    victim.kill()

    eventually(lambda: (tmp_path / "output").read_text().count("| up") == 3)
    assert len(children(supervisor)) == 2


def test_a_second_signal_kills_what_does_not_want_to_stop(start: Start) -> None:
    supervisor = start(STUBBORN)
    family = children(supervisor)

    supervisor.send_signal(signal.SIGINT)
    eventually(lambda: supervisor.poll() is not None or os.kill(supervisor.pid, signal.SIGINT), timeout=20)
    assert gone(family)


def test_a_killed_supervisor_leaves_no_orphan(start: Start) -> None:
    supervisor = start(STUBBORN)
    family = children(supervisor)

    supervisor.kill()
    supervisor.wait()

    eventually(lambda: gone(family))
