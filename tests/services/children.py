"""Child processes that never outlive the tests."""

import os
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

TIED = Path(__file__).with_name("tied.py")


def tied(
    command: Sequence[str | Path], *, death_signal: str = "SIGTERM", user: str | None = None
) -> list[str]:
    """Return *command* changed so that it gets *death_signal* when this process dies."""
    prefix = [sys.executable, "-IS", str(TIED), death_signal, user or "-", str(os.getpid())]
    return [*prefix, *map(str, command)]


def start(
    command: Sequence[str | Path],
    *,
    log: Path,
    cwd: Path,
    death_signal: str = "SIGTERM",
    user: str | None = None,
    env: Mapping[str, str] | None = None,
) -> subprocess.Popen[bytes]:
    """Start *command* in a session of its own, its output going to *log*."""
    with log.open("ab") as output:
        return subprocess.Popen(
            tied(command, death_signal=death_signal, user=user),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            cwd=cwd,
            env=env,
            start_new_session=True,
        )


def stop(process: subprocess.Popen[bytes], *, timeout: float = 10.0) -> None:
    """End *process* and wait for it: politely first, by force after *timeout* seconds."""
    process.terminate()
    try:
        process.wait(timeout)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def free_port() -> int:
    """Return a TCP port of 127.0.0.1 that nobody listens on at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def alive(pid: int) -> bool:
    """Say whether a process with this id exists."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
