"""What the core answers, held against what cron does acted out."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from itertools import pairwise

from oracle.clocks import Clock
from oracle.cron_daemon import EPOCH_DAY, Fires
from taskcfg.spec.times.timetable import Timetable

_NAIVE_EPOCH = datetime.fromordinal(EPOCH_DAY)
MANY = 1_000_000

Window = tuple[int, int]
"""Ticks of real time, from the first to before the second."""


def windows(clock: Clock, around: Iterable[int], reach: timedelta) -> list[Window]:
    """Return the spans of *reach* before and after each tick of *around*, put together where they meet."""
    ticks = reach // clock.unit
    found: list[Window] = []
    for tick in sorted(tick for tick in around if clock.first <= tick <= clock.end):
        start, end = max(tick - ticks, clock.first), min(tick + ticks, clock.end)
        if found and start <= found[-1][1]:
            start = found.pop()[0]
        found.append((start, end))
    return found


def months(clock: Clock) -> list[Window]:
    """Return the months of *clock*, in UTC."""
    start, end = clock.instant(clock.first), clock.instant(clock.end)
    dates = (
        datetime(year, month, 1, tzinfo=UTC)
        for year in range(start.year, end.year + 1)
        for month in range(1, 13)
    )
    inner = [clock.tick(each) for each in dates if start < each < end]
    edges = [clock.first, *inner, clock.end]
    return list(pairwise(edges))


def disagreements(
    table: Timetable, expected: Fires, looked_at: Sequence[Window], counted: Sequence[Window]
) -> list[str]:
    """Return where *table* says anything else than *expected*: listing, walking back, and counting."""
    found = []
    for start, end in looked_at:
        found += _listed(table, expected, start, end)
        found += _walked_back(table, expected, start, end)
    for start, end in counted:
        found += _counted(table, expected, start, end)
    return found


def _listed(table: Timetable, expected: Fires, start: int, end: int) -> list[str]:
    clock = expected.clock
    answers = list(table.between(clock.instant(start), clock.instant(end), MANY))
    found = _differences(
        "next_after", clock, [each.at for each in answers], list(expected.between(start, end))
    )
    for each in answers:
        skipped = expected.made_up.get(clock.tick(each.at))
        wall = None if skipped is None else _NAIVE_EPOCH + skipped * clock.unit
        if each.skipped != wall:
            found.append(f"{each.at}: skipped {each.skipped}, and it is {wall}")
    return found


def _walked_back(table: Timetable, expected: Fires, start: int, end: int) -> list[str]:
    clock, back = expected.clock, []
    found = table.previous_before(clock.instant(end))
    while found is not None and found.at >= clock.instant(start):
        back.append(found.at)
        found = table.previous_before(found.at)
    return _differences("previous_before", clock, back[::-1], list(expected.between(start, end)))


def _differences(what: str, clock: Clock, answers: list[datetime], expected: list[int]) -> list[str]:
    right = {clock.instant(tick) for tick in expected}
    if answers == sorted(right):
        return []
    more, less = sorted(set(answers) - right), sorted(right - set(answers))
    return [f"{what}: {len(more)} too many, {more[:3]}; {len(less)} too few, {less[:3]}"]


def _counted(table: Timetable, expected: Fires, start: int, end: int) -> list[str]:
    clock = expected.clock
    number, last = table.count_between(clock.instant(start), clock.instant(end - 1), MANY)
    right = expected.count(start, end)
    latest = max(expected.between(max(start, _last(expected, end)), end), default=None) if right else None
    if (number, last) == (right, None if latest is None else clock.instant(latest)):
        return []
    return [f"count_between {clock.instant(start)}: {number} until {last}, and it is {right}"]


def _last(expected: Fires, end: int) -> int:
    """Return the last tick before *end* at which it fires."""
    return expected.at.rfind(1, 0, end - expected.clock.first) + expected.clock.first
