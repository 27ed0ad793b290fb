"""What fire-time arithmetic answers with, and what can be asked of a schedule."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple, Protocol
from zoneinfo import ZoneInfo


class NominalTime(NamedTuple):
    """An instant that a schedule gives: `at`, in UTC, and the `zone` whose clock the schedule reads.

    `skipped` is the wall time that the schedule names where clocks skipped it, and `at` is then the
    instant right after; None everywhere else.
    """

    at: datetime
    zone: ZoneInfo
    skipped: datetime | None = None

    @property
    def local(self) -> datetime:
        """The instant as the zone's clock shows it, aware."""
        return self.at.astimezone(self.zone)

    @property
    def wall(self) -> datetime:
        """The nominal wall time, naive: what the schedule says, be it on the clock that day or not."""
        return self.skipped or self.local.replace(tzinfo=None)


class Times(Protocol):
    """The nominal times of one schedule, ascending and distinct. Every instant is aware and in UTC."""

    def next_after(self, instant: datetime) -> NominalTime | None:
        """Return the first nominal time strictly after *instant*, None when there is none."""

    def previous_before(self, instant: datetime) -> NominalTime | None:
        """Return the last nominal time strictly before *instant*, None when there is none."""

    def count_between(self, start: datetime, end: datetime, limit: int) -> tuple[int, datetime | None]:
        """Count the nominal times in [start, end], and return the last that was counted.

        *limit* bounds the work: where times can only be counted one by one, as those of a list of
        several dense schedules, at most so many are; where they can be computed, all of them.
        """
