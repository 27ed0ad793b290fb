"""Programs run as processes of their own: a clean environment, wall time, CPU time."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO, Protocol

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
    """Run a program and return what it took, from start to end: ms, and MB of memory at its highest.

    Raises Failed unless it exits 0.
    """
    surroundings = environment(env)
    with TemporaryFile() as out, TemporaryFile() as err:
        started = time.perf_counter()
        process = subprocess.Popen(
            argv, cwd=cwd, env=surroundings, stdin=subprocess.DEVNULL, stdout=out, stderr=err
        )
        _, status, used = os.wait4(process.pid, 0)
        wall = time.perf_counter() - started
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            said = _content(err) or _content(out)
            raise Failed(f"{' '.join(argv[:4])} … exited {process.returncode}: {said[-1500:]}")
    cpu = used.ru_utime + used.ru_stime
    return {WALL: wall * 1000, "CPU, ms": cpu * 1000, "memory, MB": used.ru_maxrss / 1024}


def _content(file: IO[bytes]) -> str:
    file.seek(0)
    return file.read().decode()


class Running(Protocol):
    """Programs that keep running, seen as one."""

    def __enter__(self) -> Running: ...

    def __exit__(self, *error: object) -> None:
        """Stop it."""

    def check(self) -> None:
        """Raise Failed when it has ended."""

    def cpu(self) -> float:
        """Return the CPU seconds that it and its children have used."""

    def memory(self) -> float:
        """Return its resident memory in MB."""


class Together:
    """Several programs as one: their CPU time and memory added up."""

    def __init__(self, programs: Sequence[Background]) -> None:
        self._programs = programs

    def __enter__(self) -> Together:
        return self

    def __exit__(self, *error: object) -> None:
        for program in self._programs:
            program.stop()

    def check(self) -> None:
        for program in self._programs:
            program.check()

    def cpu(self) -> float:
        return sum(program.cpu() for program in self._programs)

    def memory(self) -> float:
        return sum(program.memory() for program in self._programs)


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

    def kill(self) -> None:
        """End it and all it started at once, as a power cut does."""
        os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()

    def stop(self, patience: float = 10.0) -> None:
        """Ask it to end; after *patience* seconds kill it and all it started."""
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(patience)
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
