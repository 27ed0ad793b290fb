"""Programs run as processes of their own: a clean environment, wall time, CPU time."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

import psutil

from runner import Figures

HERE = Path(__file__).parent
ROOT = HERE.parent
PROGRAMS = HERE / "programs"
PYTHON = sys.executable
TASKCFG = str(Path(PYTHON).with_name("taskcfg"))

WALL = "wall, ms"
_LEFT_OUT = ("PYTHONDONTWRITEBYTECODE", "PYTHONUNBUFFERED", "PYTHONPATH", "CELERY_BROKER_URL")


class Failed(Exception):
    """A program that must succeed did not; the message holds the end of what it said."""


def environment(extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return this process's environment without what would change a measurement, plus *extra*.

    `TASKCFG_*` is left out whole: taskcfg refuses variables that it does not know.
    """
    kept = {
        name: value
        for name, value in os.environ.items()
        if name not in _LEFT_OUT and not name.startswith("TASKCFG_")
    }
    return {**kept, **(extra or {})}


def run(argv: Sequence[str], *, cwd: Path | None = None, env: Mapping[str, str] | None = None) -> str:
    """Run a program to its end and return its stdout. Raises Failed unless it exits 0."""
    done = subprocess.run(
        argv,
        cwd=cwd,
        env=environment(env),
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        check=False,
    )
    if done.returncode:
        said = (done.stderr or done.stdout).strip()[-1500:]
        raise Failed(f"{' '.join(argv[:4])} … exited {done.returncode}: {said}")
    return done.stdout


def spent(argv: Sequence[str], *, cwd: Path | None = None, env: Mapping[str, str] | None = None) -> Figures:
    """Run a program and return what it took, from start to end, in ms. Raises Failed unless it exits 0."""
    surroundings = environment(env)
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    started = time.perf_counter()
    process = subprocess.Popen(
        argv, cwd=cwd, env=surroundings, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )  # fmt: skip
    out, err = process.communicate()
    wall = time.perf_counter() - started
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if process.returncode:
        raise Failed(f"{' '.join(argv[:4])} … exited {process.returncode}: {(err or out).decode()[-1500:]}")
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return {WALL: wall * 1000, "CPU, ms": cpu * 1000}


class Background:
    """A program that keeps running, in a session of its own; what it says goes to *log*."""

    def __init__(
        self, argv: Sequence[str], *, log: Path, cwd: Path, env: Mapping[str, str] | None = None
    ) -> None:
        self.log = log
        with log.open("ab") as output:
            self._process = subprocess.Popen(
                argv, cwd=cwd, env=environment(env), stdin=subprocess.DEVNULL, stdout=output, stderr=output,
                start_new_session=True,
            )  # fmt: skip
        self._seen = psutil.Process(self._process.pid)

    def __enter__(self) -> Background:
        return self

    def __exit__(self, *error: object) -> None:
        self.stop()

    @property
    def pid(self) -> int:
        return self._process.pid

    def check(self) -> None:
        """Raise Failed when it has ended."""
        if self._process.poll() is not None:
            said = self.log.read_text(errors="replace").strip()[-1500:]
            raise Failed(f"it ended with {self._process.returncode}: {said}")

    def cpu(self) -> float:
        """Return the CPU seconds that it and its children have used."""
        total = 0.0
        for process in [self._seen, *self._seen.children(recursive=True)]:
            times = process.cpu_times()
            total += times.user + times.system
        return total

    def memory(self) -> float:
        """Return its resident memory in MB."""
        return float(self._seen.memory_info().rss) / 1e6

    def stop(self, patience: float = 10.0) -> None:
        """Ask it to end; after *patience* seconds kill it and all it started."""
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(patience)
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
