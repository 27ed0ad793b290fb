"""The only reader of the time.

Due-ness and leases are decided by the database's clock; what is read here serves waiting,
logging, and the commands that need no database.
"""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Protocol


class Clock(Protocol):
    """Tells the time and waits.

    `now` is aware and in UTC. `monotonic` never goes back and counts seconds from an
    unspecified start. `sleep` waits at least that many seconds.
    """

    def now(self) -> datetime: ...
    def monotonic(self) -> float: ...
    def sleep(self, seconds: float) -> None: ...


class SystemClock:
    """The machine's own clock."""

    def now(self) -> datetime:
        return datetime.now(UTC)

    def monotonic(self) -> float:
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds)
