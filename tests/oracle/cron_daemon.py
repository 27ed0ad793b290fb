"""Debian's cron acted out: it looks at the clock at each tick, and remembers what it has shown."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta

from oracle.clocks import Clock
from oracle.crontab import Crontab

EPOCH_DAY = date(1970, 1, 1).toordinal()
DAY = timedelta(days=1)


@dataclass(frozen=True)
class Fires:
    """`at` has a byte for each tick of `clock`, 1 where it fires.

    `made_up` has the ticks at which it fires for a wall tick that was skipped, and that wall tick.
    """

    clock: Clock
    at: bytearray
    made_up: dict[int, int]

    def between(self, start: int, end: int) -> Iterator[int]:
        """Yield the ticks in [start, end) at which it fires."""
        place = self.at.find(1, start - self.clock.first, end - self.clock.first)
        while place >= 0:
            yield place + self.clock.first
            place = self.at.find(1, place + 1, end - self.clock.first)

    def count(self, start: int, end: int) -> int:
        return self.at.count(1, start - self.clock.first, end - self.clock.first)


def fires(named: Crontab, clock: Clock, *, run_after: bool = True, both: bool = False) -> Fires:
    """Return when cron fires what is *named*, as *clock* goes.

    What has `*` as minute or hour fires whenever the clock shows its time. Anything else fires at
    its time's first showing, or at both, and once at a jump that skips its times, or not at all.
    """
    if not named.fixed:
        run_after, both = False, True
    per_day = DAY // clock.unit
    lowest = min(run.shown for run in clock.runs) // per_day
    wall = _wall(named, clock, lowest)
    at, made_up = bytearray(), dict[int, int]()
    expected = latest = clock.runs[0].shown  # what the clock would show next; what no tick has shown yet
    for run in clock.runs:
        end = run.shown + run.end - run.first
        showing = bytearray(wall[run.shown - lowest * per_day : end - lowest * per_day])
        if not both and run.shown < latest:
            again = min(latest, end) - run.shown
            showing[:again] = bytes(again)
        if run_after and run.shown > expected:
            skipped = wall.find(1, expected - lowest * per_day, run.shown - lowest * per_day)
            if skipped >= 0:
                showing[0] = 1
                made_up[run.first] = skipped + lowest * per_day
        at += showing
        expected, latest = end, max(latest, end)
    return Fires(clock, at, made_up)


def _wall(named: Crontab, clock: Clock, lowest: int) -> bytes:
    """Return a byte for each tick of a clock that nobody changes, from day *lowest* on: 1 if named."""
    per_day = DAY // clock.unit
    per_minute = max(timedelta(minutes=1) // clock.unit, 1)
    day = bytearray(per_day)
    for hour in named.hours:
        for minute in named.minutes:
            for second in named.seconds if per_minute > 1 else (0,):
                day[(hour * 60 + minute) * per_minute + second] = 1
    none = bytes(per_day)
    highest = max(run.shown + run.end - run.first for run in clock.runs) // per_day
    days = range(lowest, highest + 1)
    return b"".join(day if named.is_on(date.fromordinal(each + EPOCH_DAY)) else none for each in days)
