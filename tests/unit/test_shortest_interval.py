"""The smallest interval of a schedule, which its jitter must stay below."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nominals import between
from taskcfg.spec.schedule import At, Cron, CronFields, Dst, Every, Gap, Manual, Schedule, qualified, union
from taskcfg.spec.times.shortest import shortest_interval
from taskcfg.spec.times.timetable import timetable

NOW = datetime(2026, 1, 15, 12, 0, 0, 1, tzinfo=UTC)
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)


@pytest.mark.parametrize(
    ("schedule", "zone", "shortest"),
    [
        (Every(7 * MINUTE), "UTC", 7 * MINUTE),
        (At((NOW - DAY, NOW - DAY + MINUTE, NOW)), "UTC", MINUTE),
        (At((NOW,)), "UTC", None),
        (Manual(), "UTC", None),
        (Cron("0 9 * * *"), "UTC", DAY),
        (Cron("0 9 * * *"), "Europe/Berlin", 23 * HOUR),
        (Cron("30 2,3 * * *"), "Europe/Berlin", 30 * MINUTE),
        (qualified(Cron("30 2,3 * * *"), dst=Dst(gap=Gap.SKIP)), "Europe/Berlin", HOUR),
        (Cron("*/7 * * * *"), "UTC", 4 * MINUTE),
        (Cron("* * * * * *"), "UTC", timedelta(seconds=1)),
        (Cron("0 0 29 2 *"), "UTC", 1461 * DAY),
        (CronFields((("hour", "2"), ("year", "2031"))), "UTC", DAY),
        (qualified(Cron("0 9 * * *"), end=NOW), "UTC", None),
        (union([Every(HOUR), Cron("59 23 31 12 *")]), "UTC", MINUTE),
        (
            union([Cron("0 9 * * *"), qualified(Cron("30 3 * * *"), timezone="America/New_York")]),
            "Europe/Berlin",
            HOUR / 2,
        ),
    ],
)
def test_the_smallest_interval_is(schedule: Schedule, zone: str, shortest: timedelta | None) -> None:
    assert shortest_interval(schedule, zone, NOW) == shortest


@given(
    st.lists(st.integers(0, 59), min_size=1, max_size=4, unique=True),
    st.lists(st.integers(0, 23), min_size=1, max_size=2, unique=True),
    st.sampled_from(["UTC", "Europe/Berlin", "Australia/Lord_Howe", "Africa/Casablanca", "Antarctica/Troll"]),
)
def test_no_two_fixed_times_of_the_coming_year_are_closer(
    minutes: list[int], hours: list[int], zone: str
) -> None:
    schedule = Cron(f"{','.join(map(str, minutes))} {','.join(map(str, hours))} * * *")
    times = between(timetable(schedule, zone), NOW, NOW + 390 * DAY, 5_000)

    shortest = shortest_interval(schedule, zone, NOW)

    assert shortest is not None
    assert shortest <= min(later - earlier for earlier, later in pairwise(times))
