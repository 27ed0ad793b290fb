"""How close fires can come at most: never more than they do come."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from taskcfg.spec.schedule import Cron, Every, Schedule, qualified, union
from taskcfg.spec.times.closeness import hours_of_changes, midnight, no_closer_than
from taskcfg.spec.times.shortest import shortest_interval

NOW = datetime(2026, 1, 15, 12, tzinfo=UTC)
ZONES = (
    "UTC",
    "Europe/Berlin",
    "Australia/Lord_Howe",
    "America/Santiago",
    "Antarctica/Troll",
    "Africa/Casablanca",
)
MINUTES = ["*", "0", "30", "0,30", "5,6", "*/5", "*/20", "7-40/11"]
HOURS = ["*", "2", "0-5", "1,3", "3,23", "9-17", "*/2", "12", "0,23"]


@given(
    st.sampled_from(["", "", "0,30 ", "*/7 "]),
    st.sampled_from(MINUTES),
    st.sampled_from(HOURS),
    st.sampled_from(["* * *", "* * MON-FRI", "1 * *"]),
    st.sampled_from(ZONES),
)
def test_no_fires_are_closer_than_is_said(
    seconds: str, minutes: str, hours: str, days: str, zone: str
) -> None:
    part = Cron(f"{seconds}{minutes} {hours} {days}")

    shortest = shortest_interval(part, zone, NOW)

    assert shortest is not None
    assert no_closer_than(part, zone, NOW) <= shortest


@given(
    st.sampled_from(["*", "0", "55", "0,30"]),
    st.sampled_from(["1", "2", "*/2", "0-5", "23"]),
    st.sampled_from(["0", "5", "30"]),
    st.sampled_from(["0", "3", "1-23/2", "2"]),
    st.sampled_from(ZONES),
)
def test_nor_in_a_list(minutes: str, hours: str, other_minutes: str, other_hours: str, zone: str) -> None:
    both = union([Cron(f"{minutes} {hours} * * *"), Cron(f"{other_minutes} {other_hours} * * *")])

    shortest = shortest_interval(both, zone, NOW)

    assert shortest is not None
    assert no_closer_than(both, zone, NOW) <= shortest


@pytest.mark.parametrize(
    ("part", "zone", "interval"),
    [
        (Every(timedelta(minutes=7)), "Europe/Berlin", timedelta(minutes=7)),
        (Cron("30 3 * * MON-FRI"), "UTC", timedelta(days=1)),
        (Cron("30 12 * * *"), "Europe/Berlin", timedelta(hours=23)),
        (Cron("*/15 * * * *"), "Europe/Berlin", timedelta(minutes=15)),
        (Cron("0,30 9-17 * * *"), "Europe/Berlin", timedelta(minutes=30)),
        (qualified(Cron("0 9-17 * * *"), timezone="Asia/Tokyo"), "Europe/Berlin", timedelta(hours=1)),
        (Cron("0 * * * *"), "Australia/Lord_Howe", timedelta(minutes=30)),
        (union([Cron("0 9 * * *"), Cron("1 9 * * SAT")]), "UTC", timedelta(minutes=1)),
        (union([Cron("0 9 * * *"), Cron("30 23 * * *")]), "Europe/Berlin", timedelta(hours=8, minutes=30)),
        (union([Cron("0 9 * * *"), Every(timedelta(hours=1))]), "UTC", timedelta(0)),
        (
            union([Cron("0 9 * * *"), qualified(Cron("1 9 * * *"), timezone="Asia/Tokyo")]),
            "UTC",
            timedelta(0),
        ),
        (union([Cron("* * * * *"), Cron("* * * * * *")]), "UTC", timedelta(0)),
    ],
)
def test_common_schedules_are_told_well_enough(part: Schedule, zone: str, interval: timedelta) -> None:
    assert no_closer_than(part, zone, NOW) == interval


@pytest.mark.parametrize(
    ("zone", "hours"),
    [
        ("UTC", set()),
        ("Asia/Kathmandu", set()),
        ("Europe/Berlin", {2}),
        ("Australia/Lord_Howe", {1, 2}),
        ("America/Santiago", {0, 23}),
        ("Antarctica/Troll", {1, 2}),
    ],
)
def test_the_hours_in_which_clocks_change(zone: str, hours: set[int]) -> None:
    found = hours_of_changes(zone, midnight(NOW))

    assert {hour for hour in range(24) if found >> hour & 1} == hours
