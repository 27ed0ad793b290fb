"""Whether the database's clock can be trusted: it must run as this machine's monotonic clock does.

A clock that is set to another time makes what is not due look due, and the living look dead. Neither
clock is right or wrong here; what counts is that they move on together.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

JUMP = 60.0
"""Seconds by which the database's clock may move against ours without anything being made of it."""

APART = 5.0
"""Seconds between the two readings that must agree before a clock that jumped is trusted again."""

AGREEMENT = 1.0
"""Seconds by which two readings that agree may differ."""

BLUR = 1.0
"""Seconds within which a reading must have been taken to be what later ones are compared with."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Reading:
    """The database's time *at*, read some time from *earliest* to *latest* by our monotonic clock."""

    at: datetime
    earliest: float
    latest: float

    @property
    def blur(self) -> float:
        """For how many seconds of our clock it may have been true."""
        return self.latest - self.earliest

    def moved(self, later: Reading) -> float:
        """Return by how many seconds the database's clock was set on until *later*; back, if negative.

        What two readings can be explained by without its being set is 0.
        """
        most = later._ahead - later.earliest - (self._ahead - self.latest)
        least = later._ahead - later.latest - (self._ahead - self.earliest)
        return least if least > 0 else min(most, 0.0)

    @property
    def _ahead(self) -> float:
        return (self.at - _EPOCH).total_seconds()


@dataclass(frozen=True, slots=True)
class Steady:
    """The clock is trusted. `last` is what the next reading is compared with."""

    last: Reading


@dataclass(frozen=True, slots=True)
class Doubtful:
    """The clock was set by `moved` seconds since it was trusted; `first` is what it must agree with now."""

    trusted: Reading
    first: Reading

    @property
    def moved(self) -> float:
        return self.trusted.moved(self.first)


Guard = Steady | Doubtful


def judge(guard: Guard | None, reading: Reading) -> Guard:
    """Return what to think of the clock after *reading*; before it, *guard*: None for nothing yet.

    The first reading is trusted: there is nothing to doubt it by. One that moved by more than `JUMP`
    is not, nor is any after it, until one agrees with another that is `APART` seconds older.
    """
    match guard:
        case None:
            return Steady(reading)
        case Steady(last):
            if abs(last.moved(reading)) > JUMP:
                return Doubtful(last, reading)
            return Steady(reading) if reading.blur <= max(BLUR, last.blur) else guard
        case Doubtful(trusted, first):
            if abs(first.moved(reading)) > AGREEMENT:
                return Doubtful(trusted, reading)
            return Steady(reading) if reading.earliest - first.latest >= APART else guard
