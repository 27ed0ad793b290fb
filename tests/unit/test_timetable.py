"""The laws of fire times: strictly later, the same from wherever one asks, sane on clock-change days."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nominals import after, between
from taskcfg.spec.schedule import At, Cron, Every, Manual, Schedule, union
from taskcfg.spec.times.timetable import timetable
from taskcfg.spec.times.zones import zone_named

ZONES = ("UTC", "America/New_York", "Europe/Berlin", "Asia/Kathmandu")
CRONS = (
    *("* * * * *", "*/7 * * * *", "30 1 * * *", "30 2 * * *", "0 0 * * *", "15,45 */6 * * *"),
    *("0 9 * * MON-FRI", "0 12 1,15 * *", "0 0 13 * FRI", "0 6 L * *", "0 6 * * SUN#1", "0 0 29 2 *"),
)

instants = st.timedeltas(timedelta(0), timedelta(days=6 * 365)).map(
    lambda offset: datetime(2024, 1, 1, tzinfo=UTC) + offset
)
# Half of the moments lie around the clock changes of 2026 in New York and Berlin.
changes = [datetime(2026, month, day, tzinfo=UTC) for month, day in ((3, 8), (3, 29), (10, 25), (11, 1))]
near_changes = st.builds(
    lambda day, seconds: day + timedelta(seconds=seconds),
    st.sampled_from(changes),
    st.integers(-3600 * 12, 3600 * 36),
)
moments = st.one_of(instants, near_changes)
crons = st.builds(Cron, st.sampled_from(CRONS))
intervals = st.builds(Every, st.timedeltas(timedelta(seconds=1), timedelta(days=400)), anchor=instants)
lists = st.builds(lambda found: At(tuple(sorted(found))), st.sets(instants, min_size=1, max_size=20))
schedules = st.one_of(crons, intervals, lists)
zones = st.sampled_from(ZONES)


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)


@given(schedules, zones, moments)
def test_the_next_time_is_strictly_later_and_in_utc(schedule: Schedule, zone: str, moment: datetime) -> None:
    found = after(timetable(schedule, zone), moment)

    assert found is None or (found > moment and found.tzinfo is UTC)


@given(schedules, zones, moments, st.data())
def test_a_restart_at_any_instant_changes_nothing(
    schedule: Schedule, zone: str, moment: datetime, data: st.DataObject
) -> None:
    table = timetable(schedule, zone)
    found = after(table, moment)
    if found is None:
        return

    microseconds = (found - moment) // timedelta(microseconds=1)
    later = moment + timedelta(microseconds=data.draw(st.integers(0, microseconds - 1)))

    assert after(table, later) == found


@given(schedules, zones, moments, st.timedeltas(timedelta(0), timedelta(days=3)))
def test_between_is_repeated_next_after_within_its_bounds(
    schedule: Schedule, zone: str, start: datetime, length: timedelta
) -> None:
    table = timetable(schedule, zone)

    found = between(table, start, start + length, 50)

    assert len(found) <= 50
    assert all(start <= instant < start + length for instant in found)
    assert all(after(table, first) == second for first, second in pairwise(found))


@given(schedules, zones, moments, st.timedeltas(timedelta(0), timedelta(days=3)))
def test_counting_agrees_with_listing(
    schedule: Schedule, zone: str, moment: datetime, length: timedelta
) -> None:
    table = timetable(schedule, zone)
    start = after(table, moment)
    if start is None:
        return
    listed = between(table, start, start + length + timedelta(microseconds=1), 10_000)

    if len(listed) < 10_000:
        assert table.count_between(start, start + length, 100_000) == (len(listed), listed[-1])


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
