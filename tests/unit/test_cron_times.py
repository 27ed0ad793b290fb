"""Fire times of cron rules: by example, and beside cronsim, whose known faults are listed."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from cronsim import CronSim
from hypothesis import given
from hypothesis import strategies as st

from nominals import after, between
from schedules import daily, five_fields, utc, zones_and_moments
from taskcfg.spec.schedule import Cron, CronFields, Dst, Gap, qualified
from taskcfg.spec.times.cron import read_cron
from taskcfg.spec.times.cron_terms import InvalidCron
from taskcfg.spec.times.timetable import timetable
from taskcfg.spec.times.zones import zone_named

# Where cronsim knows what a change of clocks does: by whole hours, and not at midnight.
CRONSIM_ZONES = (
    *("America/New_York", "Europe/Berlin", "Europe/London", "Antarctica/Troll", "Africa/Casablanca"),
    *("Asia/Kathmandu", "UTC"),
)


def cronsims(expression: str, zone: str, moment: datetime) -> Iterator[datetime]:
    expression = expression.replace("FRI-MON", "FRI,SAT,SUN,MON").replace("FRIL", "5L")  # it takes neither
    return (found.astimezone(UTC) for found in CronSim(expression, moment.astimezone(zone_named(zone))))


@given(st.one_of(five_fields, daily), zones_and_moments(CRONSIM_ZONES))
def test_the_next_time_is_cronsims(expression: str, place: tuple[str, datetime]) -> None:
    zone, moment = place
    try:
        found = after(timetable(Cron(expression), zone), moment)
    except InvalidCron:
        return

    # Asked inside a repeated hour, cronsim can answer with an instant before the start.
    assert found == next(answer for answer in cronsims(expression, zone, moment) if answer > moment)


@pytest.mark.parametrize(
    ("expression", "zone", "moment", "cronsim", "ours"),
    [
        pytest.param(
            *(
                "30 1 * * *",
                "America/New_York",
                "2026-11-01T06:15Z",
                "2026-11-01T05:30Z",
                "2026-11-02T06:30Z",
            ),
            id="asked inside a repeated hour it answers with the past",
        ),
        pytest.param(
            *("0 3-3/3 * * *", "UTC", "2026-01-01T04:00Z", "2026-01-01T06:00Z", "2026-01-02T03:00Z"),
            id="a range of one value with a step goes on to the highest",
        ),
        pytest.param(
            *(
                "0 */6 * * *",
                "Australia/Lord_Howe",
                "2026-04-04T13:45Z",
                "2026-04-05T01:30Z",
                "2026-04-04T19:30Z",
            ),
            id="a change by half an hour loses times",
        ),
        pytest.param(
            *("* 1 29 * *", "Atlantic/Azores", "2026-03-28T21:45Z", "2026-04-29T01:00Z", "2026-03-29T01:00Z"),
            id="a day without a midnight loses times",
        ),
    ],
)
def test_where_cronsim_is_known_to_be_wrong_ours_is_not(
    expression: str, zone: str, moment: str, cronsim: str, ours: str
) -> None:
    assert next(cronsims(expression, zone, utc(moment))) == utc(cronsim)
    assert after(timetable(Cron(expression), zone), utc(moment)) == utc(ours)


@pytest.mark.parametrize(
    ("expression", "moment", "found"),
    [
        ("15 2 * * *", "2026-10-03T15:00Z", "2026-10-03T15:30Z"),  # 02:15 is skipped: at the change, 02:30
        ("45 1 * * *", "2026-04-04T14:00Z", "2026-04-04T14:45Z"),  # 01:45 comes twice: the first
        ("45 1 * * *", "2026-04-04T14:45Z", "2026-04-05T15:15Z"),
        ("45 1 * * *", "2026-04-04T15:05Z", "2026-04-05T15:15Z"),  # asked between the two
    ],
)
def test_half_an_hour_of_change_is_a_change(expression: str, moment: str, found: str) -> None:
    assert after(timetable(Cron(expression), "Australia/Lord_Howe"), utc(moment)) == utc(found)


def test_a_day_that_was_left_out_is_made_up_for_as_the_next_begins() -> None:
    table = timetable(Cron("30 9 * * *"), "Pacific/Apia")

    found = between(table, utc("2011-12-29T00:00-10:00"), utc("2012-01-01T00:00+14:00"), 10)

    assert found == [
        utc("2011-12-29T09:30-10:00"),
        utc("2011-12-31T00:00+14:00"),
        utc("2011-12-31T09:30+14:00"),
    ]


def test_a_leap_day_on_a_weekday_is_found_forty_years_on() -> None:
    table = timetable(Cron("0 0 29 2 */7"), "UTC")  # Sundays, and with `*` both must hold

    assert after(table, utc("2088-03-01T00:00Z")) == utc("2128-02-29T00:00Z")


def test_a_step_counts_from_the_start_of_its_range_and_a_number_with_a_step_goes_on_to_the_end() -> None:
    minutes = [bit for bit in range(60) if read_cron("5-20/7,50/3 * * * *").times.minutes >> bit & 1]

    assert minutes == [5, 12, 19, 50, 53, 56, 59]
    assert re.fullmatch(r"1+", bin(read_cron("0-0/5,1-59 * * * *").times.minutes)[2:])


def test_named_years_are_the_only_ones_it_fires_in() -> None:
    table = timetable(
        CronFields((("hour", "2"), ("day", "31"), ("month", "12"), ("year", "2027,2029"))), "UTC"
    )

    found = between(table, utc("2020-01-01T00:00Z"), utc("2099-01-01T00:00Z"), 10)

    assert found == [utc("2027-12-31T02:00Z"), utc("2029-12-31T02:00Z")]
    assert table.previous_before(utc("2027-12-31T02:00Z")) is None


def test_a_weekday_without_a_day_is_one_of_every_month() -> None:
    table = timetable(CronFields((("day_of_week", "MON"),)), "UTC")

    assert after(table, utc("2026-03-01T00:00Z")) == utc("2026-03-02T00:00Z")


def test_years_are_the_years_that_are_named() -> None:
    table = timetable(CronFields((("hour", "2"), ("year", "2026,2028"))), "UTC")

    assert after(table, utc("2020-01-01T00:00Z")) == utc("2026-01-01T02:00Z")
    assert after(table, utc("2026-12-31T02:00Z")) == utc("2028-01-01T02:00Z")
    assert after(table, utc("2028-12-31T02:00Z")) is None


def test_a_time_that_clocks_skip_whenever_it_comes_never_fires_and_that_is_soon_found() -> None:
    last_sunday_of_march = Cron("30 2 * 3 7L")
    table = timetable(qualified(last_sunday_of_march, dst=Dst(gap=Gap.SKIP)), "Europe/Berlin")

    assert after(table, utc("2026-01-01T00:00Z")) is None
    found = table.previous_before(utc("2026-01-01T00:00Z"))  # before there was summer time
    assert found is not None and found.at == utc("1980-03-30T02:30+01:00")
