"""Keeps child processes alive, and lets none outlive it."""

from __future__ import annotations

import ctypes
import logging
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import IO

from taskcfg.clock import Clock
from taskcfg.logs import child_line

logger = logging.getLogger("taskcfg.up")

FIRST_BACKOFF = 1.0
LONGEST_BACKOFF = 30.0
STEADY_AFTER = 30.0
"""Seconds a child must live for its next restart to be a quick one again."""

PATIENCE = 30.0
"""Seconds a child gets to stop in peace before it is told to end at once."""

LAST_PATIENCE = 15.0
"""Seconds it then gets, told a second time, to write down what it cuts off."""

_TICK = 0.2
_PR_SET_PDEATHSIG = 1


@dataclass
class _Child:
    name: str
    command: Sequence[str]
    process: subprocess.Popen[bytes] | None = None
    started_at: float = 0.0
    restart_at: float = 0.0
    backoff: float = FIRST_BACKOFF
    readers: list[threading.Thread] = field(default_factory=list)


class Supervisor:
    """Starts its children in order, starts one again that died, stops them in the same order.

    Each child leads a session of its own, so that a ^C at the terminal reaches only the
    supervisor; and each is killed by the kernel when the supervisor dies, whatever it dies of.
    """

    def __init__(
        self,
        commands: Mapping[str, Sequence[str]],
        clock: Clock,
        *,
        folder: Path,
        environment: Mapping[str, str],
        out: IO[str],
        as_json: bool = False,
    ) -> None:
        self._children = [_Child(name, command) for name, command in commands.items()]
        self._environment = environment
        self._clock = clock
        self._folder = folder
        self._out = out
        self._as_json = as_json
        self._lock = threading.Lock()
        self._stops = 0

    def run(self) -> int:
        """Serve until SIGINT or SIGTERM; return the exit code. At a second signal children end at once."""
        signal.signal(signal.SIGINT, self._stop)
        signal.signal(signal.SIGTERM, self._stop)
        for child in self._children:
            self._start(child)
        while not self._stops:
            for child in self._children:
                self._look_after(child)
            self._clock.sleep(_TICK)
        for child in self._children:
            self._end(child)
        return 0

    def _stop(self, signum: int, frame: FrameType | None) -> None:
        self._stops += 1

    def _start(self, child: _Child) -> None:
        child.process = subprocess.Popen(
            child.command,
            cwd=self._folder,
            env=self._environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            preexec_fn=_die_with_parent,
        )
        child.started_at = self._clock.monotonic()
        reader = threading.Thread(target=self._copy, args=(child.name, child.process.stdout), daemon=True)
        reader.start()
        child.readers = [reader]

    def _look_after(self, child: _Child) -> None:
        now = self._clock.monotonic()
        if child.process is None:
            if now >= child.restart_at:
                self._start(child)
            return
        code = child.process.poll()
        if code is None:
            return
        _kill_session(child.process)
        _finish_reading(child)
        if now - child.started_at > STEADY_AFTER:
            child.backoff = FIRST_BACKOFF
        logger.error("child.died child=%s code=%d restart_in=%gs", child.name, code, child.backoff)
        child.process = None
        child.restart_at = now + child.backoff
        child.backoff = min(child.backoff * 2, LONGEST_BACKOFF)

    def _end(self, child: _Child) -> None:
        process = child.process
        if process is None:
            return
        process.terminate()
        if not self._ends_within(process, PATIENCE, stops=2):
            logger.warning("child.cut_off child=%s: it has not ended in peace", child.name)
            process.terminate()
            if not self._ends_within(process, LAST_PATIENCE, stops=3):
                logger.warning("child.killed child=%s", child.name)
        _kill_session(process)
        process.wait()
        _finish_reading(child)

    def _ends_within(self, process: subprocess.Popen[bytes], seconds: float, *, stops: int) -> bool:
        """Wait for its end; give up after *seconds*, or when we were told that many times to stop."""
        deadline = self._clock.monotonic() + seconds
        while process.poll() is None:
            if self._stops >= stops or self._clock.monotonic() > deadline:
                return False
            self._clock.sleep(0.05)
        return True

    def _copy(self, name: str, stream: IO[bytes]) -> None:
        for line in stream:
            text = line.decode("utf-8", "replace")
            if self._as_json and not text.strip():
                continue
            said = f"{child_line(name, text)}\n" if self._as_json else f"{name:<9} | {text}"
            # A full disk must not stop the reading: the child would stand still at a full pipe.
            with self._lock, suppress(OSError):
                self._out.write(said)
                self._out.flush()


def _finish_reading(child: _Child) -> None:
    for reader in child.readers:
        reader.join(1.0)
    if child.process is not None and child.process.stdout is not None:
        child.process.stdout.close()


def _kill_session(process: subprocess.Popen[bytes]) -> None:
    """Kill whatever is left of the child's session, such as pool processes."""
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        return


def _die_with_parent() -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
