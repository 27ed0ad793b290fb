"""What systemd is told, where it asks for it (`Type=notify`): ready, stopping, alive, and how it stands.

The protocol is one datagram for each message, to the socket that the environment names; see sd_notify(3).
"""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping, MutableMapping

SOCKET = "NOTIFY_SOCKET"
WATCHDOG = "WATCHDOG_USEC"
WATCHDOG_PID = "WATCHDOG_PID"
VARIABLES = (SOCKET, WATCHDOG, WATCHDOG_PID)


class Notifier:
    """Sends messages to whoever started this process and wants them; without one it does nothing.

    It never waits and never fails: a message that cannot be sent is dropped. `watchdog` is how many
    seconds apart it wants to hear that we live, None where it does not.
    """

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._address = _address(environ.get(SOCKET, ""))
        self.watchdog = _interval(environ) if self._address else None
        self._status = ""

    def ready(self) -> None:
        """Say that start-up is over."""
        self._send("READY=1")

    def stopping(self) -> None:
        self._send("STOPPING=1")

    def alive(self) -> None:
        """Say what a watchdog wants to hear."""
        self._send("WATCHDOG=1")

    def still_starting(self, seconds: float) -> None:
        """Ask for *seconds* more, from now, before start-up counts as failed."""
        self._send(f"EXTEND_TIMEOUT_USEC={int(seconds * 1_000_000)}")

    def status(self, text: str) -> None:
        """Say how it stands, in one line; the same again is not sent."""
        line = " ".join(text.split())
        if line != self._status:
            self._status = line
            self._send(f"STATUS={line}")

    def _send(self, message: str) -> None:
        if self._address is None:
            return
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as line:
                line.setblocking(False)
                line.sendto(message.encode("utf-8", "replace"), self._address)
        except OSError:
            return


def take_notifier(environ: MutableMapping[str, str] | None = None) -> Notifier:
    """Return the notifier of this process, and hide it from the processes that it starts."""
    environ = os.environ if environ is None else environ
    notifier = Notifier(environ)
    for name in VARIABLES:
        environ.pop(name, None)
    return notifier


def _address(name: str) -> bytes | None:
    """Return the socket's address; a name that begins with `@` is in the abstract namespace."""
    if name.startswith("@"):
        return b"\0" + os.fsencode(name[1:])
    return os.fsencode(name) if name.startswith("/") else None


def _interval(environ: Mapping[str, str]) -> float | None:
    for_us = environ.get(WATCHDOG_PID, str(os.getpid())) == str(os.getpid())
    usec = environ.get(WATCHDOG, "")
    if not for_us or not usec.isascii() or not usec.isdigit() or int(usec) == 0:
        return None
    return int(usec) / 1_000_000 / 2
