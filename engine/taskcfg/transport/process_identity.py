"""Which process a consumer is, and whether that process still lives."""

from __future__ import annotations

import contextlib
import enum
import os
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class ProcessIdentity:
    """A process that no other one can be mistaken for.

    `boot` and `namespace` tell where its pid means anything, `started` is in the kernel's
    ticks since boot. All three are empty where the system does not tell them.
    """

    boot: str
    namespace: str
    pid: int
    started: str


class Presence(enum.Enum):
    """What can be known about a process from here."""

    RUNNING = "running"
    GONE = "gone"
    UNKNOWN = "unknown"


def this_process() -> ProcessIdentity:
    """Return the identity of the calling process."""
    boot = namespace = ""
    with contextlib.suppress(OSError):
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        namespace = os.readlink("/proc/self/ns/pid")
    return ProcessIdentity(boot, namespace, os.getpid(), _status(os.getpid())[1])


def presence(other: ProcessIdentity, here: ProcessIdentity) -> Presence:
    """Tell whether *other* lives, as seen by *here*; GONE only where that is proven.

    A process of another boot is gone: the file cannot be shared between machines.
    """
    if other.boot != here.boot:
        return Presence.GONE
    if other.namespace != here.namespace:
        return Presence.UNKNOWN
    try:
        os.kill(other.pid, 0)
    except ProcessLookupError:
        return Presence.GONE
    except OSError:
        pass  # it exists and is another user's
    state, started = _status(other.pid)
    if not started or not other.started:
        return Presence.UNKNOWN
    if started != other.started or state in ("Z", "X"):
        return Presence.GONE
    return Presence.RUNNING


def _status(pid: int) -> tuple[str, str]:
    """Return the state letter and the start time of *pid*, both empty if they cannot be read."""
    try:
        line = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return ("", "")
    fields = line[line.rindex(")") + 2 :].split()  # the name before it may hold blanks and brackets
    return (fields[0], fields[19])
