"""Fire times by example: on clock-change days, at the ends of time, and what no timetable can be made of."""

from datetime import UTC, datetime, timedelta

import pytest

from nominals import after, between
from schedules import utc
from taskcfg.spec.schedule import At, Cron, Every, Manual, union
from taskcfg.spec.times.timetable import timetable
from taskcfg.spec.times.zones import zone_named


def test_counting_one_by_one_stops_at_its_limit() -> None:
    table = timetable(union([Cron("*/2 * * * *"), Cron("1-59/2 * * * *")]), "UTC")

    count, last = table.count_between(utc("2026-01-01T00:00Z"), utc("2026-02-01T00:00Z"), 100)

    assert (count, last) == (100, utc("2026-01-01T01:39Z"))


def test_a_month_of_seconds_is_counted_at_once() -> None:
    table = timetable(Every(timedelta(seconds=1)), "UTC")

    count, last = table.count_between(utc("2026-01-01T00:00Z"), utc("2026-01-31T00:00Z"), 10)

    assert (count, last) == (30 * 86_400 + 1, utc("2026-01-31T00:00Z"))


def test_nothing_lies_in_a_span_that_ends_before_it_starts() -> None:
    for schedule in (Cron("* * * * *"), Every(timedelta(minutes=1)), At((utc("2026-01-01T00:00Z"),))):
        table = timetable(schedule, "UTC")

        assert table.count_between(utc("2026-01-01T00:01Z"), utc("2026-01-01T00:00Z"), 10) == (0, None)


def test_asked_inside_the_repeated_hour_the_answer_is_never_in_the_past() -> None:
    table = timetable(Cron("30 1 * * *"), "America/New_York")

    assert after(table, utc("2026-11-01T05:00Z")) == utc("2026-11-01T05:30Z")
    assert after(table, utc("2026-11-01T06:15Z")) == utc("2026-11-02T06:30Z")


def test_a_fixed_time_in_the_repeated_hour_fires_once_and_a_wildcard_follows_real_time() -> None:
    start, end = utc("2026-10-25T00:00+02:00"), utc("2026-10-26T00:00+01:00")
    fixed = between(timetable(Cron("30 2 * * *"), "Europe/Berlin"), start, end, 100)
    hourly = between(timetable(Cron("30 * * * *"), "Europe/Berlin"), start, end, 100)

    assert fixed == [utc("2026-10-25T02:30+02:00")]
    assert len(hourly) == 25


def test_a_fixed_time_in_the_gap_fires_once_right_after_it() -> None:
    start, end = utc("2026-03-29T00:00+01:00"), utc("2026-03-30T00:00+02:00")
    table = timetable(Cron("0,30 2 * * *"), "Europe/Berlin")

    assert between(table, start, end, 100) == [utc("2026-03-29T03:00+02:00")]


def test_midnight_fires_every_day_also_after_a_clock_change() -> None:
    table = timetable(Cron("0 0 * * *"), "America/New_York")
    days = between(table, utc("2026-03-07T00:00-05:00"), utc("2026-03-11T00:00-04:00"), 100)

    local = [day.astimezone(zone_named("America/New_York")) for day in days]
    assert [(day.day, day.hour) for day in local] == [(7, 0), (8, 0), (9, 0), (10, 0)]


def test_an_interval_counts_from_its_anchor_also_into_the_past_of_the_asker() -> None:
    table = timetable(Every(timedelta(minutes=63), utc("2026-01-01T00:00Z")), "UTC")

    assert after(table, utc("2020-01-01T00:00Z")) == utc("2026-01-01T00:00Z")
    assert after(table, utc("2026-01-01T00:00Z")) == utc("2026-01-01T01:03Z")


def test_instants_end_and_manual_never_begins() -> None:
    table = timetable(At((utc("2026-01-01T00:00Z"), utc("2026-01-02T00:00Z"))), "UTC")

    assert after(table, utc("2026-01-01T00:00Z")) == utc("2026-01-02T00:00Z")
    assert after(table, utc("2026-01-02T00:00Z")) is None
    assert after(timetable(Manual(), "UTC"), utc("2026-01-01T00:00Z")) is None


def test_the_end_of_the_calendar_is_the_end_of_every_schedule() -> None:
    end = datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)

    for schedule in (Cron("0 0 * * *"), Every(timedelta(days=1))):
        assert after(timetable(schedule, "UTC"), end) is None


@pytest.mark.parametrize(
    "zone",
    ["Mars/Olympus", "utc", "", "../UTC", "localtime", "right/UTC", "Europe", "/etc/passwd"],
)
def test_only_iana_names_are_zones(zone: str) -> None:
    with pytest.raises(ValueError, match="is not a time zone"):
        timetable(Cron("0 0 * * *"), zone)


def test_a_schedule_that_cannot_be_read_raises_its_reason() -> None:
    with pytest.raises(ValueError, match="never fires"):
        timetable(Cron("0 0 30 2 *"), "UTC")
    with pytest.raises(ValueError, match="shortest interval"):
        timetable(Every(timedelta(milliseconds=500)), "UTC")
