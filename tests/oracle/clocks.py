"""What a zone's clock shows, tick by tick of real time: looked up at each, and kept as runs."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from zoneinfo import ZoneInfo

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Run:
    """Ticks of real time from `first` to before `end`, while the clock shows `shown` and on."""

    first: int
    end: int
    shown: int


@dataclass(frozen=True)
class Clock:
    """The runs of a zone's clock, between two ticks of `unit` each since 1970."""

    zone: str
    unit: timedelta
    runs: tuple[Run, ...]

    @property
    def first(self) -> int:
        return self.runs[0].first

    @property
    def end(self) -> int:
        return self.runs[-1].end

    @property
    def changes(self) -> tuple[int, ...]:
        """The ticks at which the clock jumps, forward or back."""
        return tuple(run.first for run in self.runs[1:])

    def tick(self, instant: datetime) -> int:
        return (instant - EPOCH) // self.unit

    def instant(self, tick: int) -> datetime:
        return EPOCH + tick * self.unit


@cache
def clock(zone: str, start: datetime, end: datetime, unit: timedelta) -> Clock:
    """Return what the clock of *zone* shows at each tick from *start* to before *end*."""
    return Clock(
        zone, unit, tuple(_runs(ZoneInfo(zone), (start - EPOCH) // unit, (end - EPOCH) // unit, unit))
    )


def _runs(zone: ZoneInfo, first: int, end: int, unit: timedelta) -> Iterator[Run]:
    real = (EPOCH + first * unit).replace(tzinfo=zone)  # as `fromutc` wants it: the hands of a clock in UTC
    begun, shown = first, zone.fromutc(real)
    expected = shown
    for tick in range(first, end):
        now = zone.fromutc(real)
        if now != expected:
            yield Run(begun, tick, _count(shown, unit))
            begun, shown, expected = tick, now, now
        real += unit
        expected += unit
    yield Run(begun, end, _count(shown, unit))


def _count(shown: datetime, unit: timedelta) -> int:
    return (shown.replace(tzinfo=UTC) - EPOCH) // unit
