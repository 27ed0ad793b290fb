"""Every answer about cron rules, held against Debian's cron acted out on the clocks of many zones.

Here a sample is; `make oracle` takes all expressions through all minutes of 2024 to 2030.
"""

import os
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from oracle.clocks import Clock, clock
from oracle.cron_daemon import fires
from oracle.crontab import Crontab, crontab, named_fields
from oracle.expressions import WRITTEN, WRITTEN_FIELDS, WRITTEN_SECONDS, drawn, fields_of
from oracle.judge import Window, disagreements, months, windows
from schedules import ZONES
from taskcfg.spec.schedule import Cron, CronFields, Dst, Gap, Repeat, qualified
from taskcfg.spec.times.timetable import timetable

WHOLE = os.environ.get("TASKCFG_TEST_ORACLE") == "whole"
FEW = 2_000
"""Fires: rules with at most so many in all are looked at whole, others around what is special."""

MINUTE, SECOND, DAY = timedelta(minutes=1), timedelta(seconds=1), timedelta(days=1)
DEFAULT = Dst()
DSTS = [Dst(gap, overlap) for gap in Gap for overlap in Repeat]

Rule = tuple[Cron | CronFields, Crontab]


def rules(number: int) -> Iterator[Rule]:
    """Yield those that are written, and as many of those that are drawn that there are *number*."""
    yield from ((Cron(text), crontab(text)) for text in WRITTEN)
    yield from ((fields_of(given), named_fields(given)) for given in WRITTEN_FIELDS)
    yield from (
        (rule, crontab(rule.expression)) for rule in drawn(number - len(WRITTEN) - len(WRITTEN_FIELDS))
    )


def spans(zone: str) -> list[tuple[datetime, datetime]]:
    """Return the years that are acted out in *zone*."""
    first, last = (2024, 2031) if WHOLE else (2026, 2027)
    found = [(datetime(first, 1, 1, tzinfo=UTC), datetime(last, 1, 1, tzinfo=UTC))]
    if zone == "Pacific/Apia":  # it left out a day
        found.append((datetime(2011, 9, 1, tzinfo=UTC), datetime(2012, 5, 1, tzinfo=UTC)))
    return found


def special(shown: Clock) -> list[Window]:
    """Return the days around clock changes, leap days and the ends of years."""
    years = range(shown.instant(shown.first).year, shown.instant(shown.end).year + 1)
    days = [datetime(year, month, 1, tzinfo=UTC) for year in years for month in (1, 3)]
    return windows(shown, [*shown.changes, *map(shown.tick, days)], DAY)


def found_wrong(zone: str, shown: Clock, rule: Rule, dst: Dst = DEFAULT) -> list[str]:
    schedule, named = rule
    expected = fires(named, shown, run_after=dst.gap is Gap.RUN_AFTER, both=dst.overlap is Repeat.BOTH)
    table = timetable(qualified(schedule, dst=dst), zone)
    whole = [(shown.first, shown.end)]
    looked_at = whole if expected.count(*whole[0]) <= FEW and WHOLE else special(shown)
    return [f"{schedule} {said}" for said in disagreements(table, expected, looked_at, months(shown))]


@pytest.mark.parametrize("zone", ZONES)
def test_every_answer_is_that_of_cron_acted_out_minute_by_minute(zone: str) -> None:
    for start, end in spans(zone):
        shown = clock(zone, start, end, MINUTE)
        wrong = [said for rule in rules(300 if WHOLE else 90) for said in found_wrong(zone, shown, rule)]

        assert wrong[:3] == []


@pytest.mark.parametrize("zone", ZONES)
def test_every_policy_is_that_of_a_cron_that_keeps_it(zone: str) -> None:
    for start, end in spans(zone):
        shown = clock(zone, start, end, MINUTE)
        taken = [rule for rule in rules(110 if WHOLE else 72) if rule[1].fixed]
        wrong = [said for rule in taken for dst in DSTS for said in found_wrong(zone, shown, rule, dst)]

        assert wrong[:3] == []


@pytest.mark.parametrize("zone", ZONES)
def test_around_clock_changes_every_answer_is_that_of_cron_acted_out_second_by_second(zone: str) -> None:
    texts = [*WRITTEN_SECONDS, *(rule.expression for rule in drawn(16 if WHOLE else 4, seconds=True))]
    for start, end in spans(zone):
        changes = map(clock(zone, start, end, MINUTE).instant, clock(zone, start, end, MINUTE).changes)
        for change in [*changes, start + 150 * DAY]:
            shown = clock(zone, change - timedelta(hours=4), change + timedelta(hours=4), SECOND)
            looked_at = windows(shown, [shown.tick(change)], timedelta(minutes=35 if WHOLE else 20))
            for text in texts:
                for dst in DSTS if WHOLE else [DEFAULT]:
                    expected = fires(
                        crontab(text),
                        shown,
                        run_after=dst.gap is Gap.RUN_AFTER,
                        both=dst.overlap is Repeat.BOTH,
                    )
                    table = timetable(qualified(Cron(text), dst=dst), zone)
                    assert disagreements(table, expected, looked_at, [(shown.first, shown.end)])[:3] == [], (
                        text
                    )
