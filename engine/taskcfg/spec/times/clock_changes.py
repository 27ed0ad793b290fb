"""The instants at which a zone's clock is put forward or back."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import NamedTuple
from zoneinfo import ZoneInfo

from taskcfg.spec.times.offsets import offsets_of

WITHIN = timedelta(days=396)
"""So far ahead they are looked at: 13 months, which hold every clock change of a year."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_SECOND = timedelta(seconds=1)


class ClockChange(NamedTuple):
    """At the instant `at`, UTC, clocks in `zone` go from `before` to `after` UTC's time ahead.

    Put forward, they skip the wall times from `old` to before `new`; put back, they show those
    from `new` to before `old` again.
    """

    at: datetime
    zone: ZoneInfo
    before: timedelta
    after: timedelta

    @property
    def old(self) -> datetime:
        """What clocks would show at that instant, naive."""
        return (self.at + self.before).replace(tzinfo=None)

    @property
    def new(self) -> datetime:
        """What they show, naive."""
        return (self.at + self.after).replace(tzinfo=None)

    @property
    def shift(self) -> timedelta:
        """By how much they go forward; below zero where they go back."""
        return self.after - self.before


def clock_changes(zone: ZoneInfo, start: datetime, end: datetime) -> Iterator[ClockChange]:
    """Yield the changes of *zone*'s clock in [start, end), in order."""
    first, until = -(-(start - _EPOCH) // _SECOND), -(-(end - _EPOCH) // _SECOND)
    for stretch in offsets_of(zone).stretches(first):
        if stretch.start >= until:
            return
        if stretch.start >= first and stretch.offset != stretch.before:
            at = _EPOCH + timedelta(seconds=stretch.start)
            yield ClockChange(at, zone, timedelta(seconds=stretch.before), timedelta(seconds=stretch.offset))
