"""Schedules and policies in words: honest ones, or the expression itself."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from taskcfg.spec.calendar import calendar_of
from taskcfg.spec.policy import Backoff, Policy, Retry
from taskcfg.spec.schedule import (
    At,
    Cron,
    CronFields,
    Dst,
    Every,
    Gap,
    Manual,
    Repeat,
    Schedule,
    qualified,
    union,
)
from taskcfg.spec.times.cron import read_cron
from taskcfg.spec.times.cron_terms import InvalidCron
from taskcfg.spec.words import clock_words, policy_words, schedule_line, schedule_words


@pytest.mark.parametrize(
    ("expression", "words"),
    [
        ("* * * * *", "every minute, UTC"),
        ("*/15 * * * *", "every 15 minutes of the hour, UTC"),
        ("7/15 * * * *", "every 15 minutes of the hour, from minute 7 on, UTC"),
        ("*/7 * * * *", "at minutes 0 to 56 in steps of 7 of every hour, UTC"),
        ("*/0005 * * * *", "every 5 minutes of the hour, UTC"),
        ("5 * * * *", "at minute 5 of every hour, UTC"),
        ("0-29 * * * *", "at minutes 0 to 29 of every hour, UTC"),
        ("* 2 * * *", "every minute in hour 2, UTC"),
        ("* * * * * *", "every second, UTC"),
        ("30 * * * * *", "at second 30 of every minute, UTC"),
        ("*/10 * * * * *", "every 10 seconds of the minute, UTC"),
        ("*/5 2 * * * *", "every 5 seconds of the minute in minute 2, UTC"),
        ("30 3 * * *", "at 03:30 every day, UTC"),
        ("15 30 3 * * *", "at 03:30:15 every day, UTC"),
        ("0 2,14 * * *", "at 02:00 and 14:00 every day, UTC"),
        ("0 9-17 * * *", "every hour from 09:00 to 17:00, UTC"),
        ("0 */2 * * *", "every 2 hours from 00:00 to 22:00, UTC"),
        ("*/10 9-17 * * MON-FRI", "every 10 minutes of the hour in hours 9 to 17 on Monday to Friday, UTC"),
        ("0 2 * * MON-FRI", "at 02:00 on Monday to Friday, UTC"),
        ("0 2 * * FRI-MON", "at 02:00 on Friday to Monday, UTC"),
        ("0 2 * * SAT,SUN", "at 02:00 on Saturday and Sunday, UTC"),
        ("0 2 * * 0,3,sat", "at 02:00 on Sunday, Wednesday and Saturday, UTC"),
        ("0 2 * * 7", "at 02:00 on Sunday, UTC"),
        ("0 2 1 * *", "at 02:00 on day 1 of the month, UTC"),
        ("0 2 1,15,L * *", "at 02:00 on days 1 and 15 and the last day of the month, UTC"),
        ("0 2 LW * *", "at 02:00 on the last day from Monday to Friday of the month, UTC"),
        ("0 2 * * TUE#1", "at 02:00 on the first Tuesday of the month, UTC"),
        ("0 2 * * 5L", "at 02:00 on the last Friday of the month, UTC"),
        ("0 2 1 * MON", "at 02:00 on day 1 of the month and also on Monday, UTC"),
        ("0 2 */2 * MON", "at 02:00 on days 1 to 31 in steps of 2 of the month if it is Monday, UTC"),
        ("0 2 1-31 * MON", "at 02:00 every day, UTC"),
        ("0 2 1 1 *", "at 02:00 on day 1 of the month in January, UTC"),
        ("5 0 * JAN-MAR,DEC *", "at 00:05 every day in January to March and December, UTC"),
        ("@weekly", "at 00:00 on Sunday, UTC"),
        ("@hourly", "at minute 0 of every hour, UTC"),
        ("1,2,4,8,16,32,45 * * * *", "cron `1,2,4,8,16,32,45 * * * *`, UTC"),
    ],
)
def test_a_cron_expression_is_said_in_words_where_there_are_some(expression: str, words: str) -> None:
    assert schedule_words(Cron(expression), "UTC") == words


@pytest.mark.parametrize(
    ("schedule", "words"),
    [
        (Manual(), "only when it is run"),
        (Every(timedelta(minutes=15)), "every 15m, counted from 1970-01-01T00:00:00Z"),
        (
            Every(timedelta(hours=1), datetime(2026, 1, 1, tzinfo=UTC)),
            "every 1h, counted from 2026-01-01T00:00:00Z",
        ),
        (At((datetime(2026, 12, 24, 18, tzinfo=UTC),)), "once at 2026-12-24T18:00:00Z"),
        (
            At((datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 1, 2, tzinfo=UTC))),
            "at 2026-01-01T00:00:00Z and 2026-01-02T00:00:00Z",
        ),
        (
            At(tuple(datetime(2026, 1, day, tzinfo=UTC) for day in range(1, 9))),
            "at 2026-01-01T00:00:00Z, 2026-01-02T00:00:00Z, 2026-01-03T00:00:00Z, 2026-01-04T00:00:00Z, "
            "2026-01-05T00:00:00Z, 2026-01-06T00:00:00Z and 2 more",
        ),
        (
            CronFields((("minute", "0"), ("hour", "9"), ("day", "2-8"), ("day_of_week", "WED"))),
            "at 09:00 on days 2 to 8 of the month if it is Wednesday, UTC",
        ),
        (
            CronFields((("hour", "9"), ("day_of_week", "MON"), ("year", "2027-2029"))),
            "at 09:00 on Monday in 2027 to 2029, UTC",
        ),
        (
            qualified(
                Cron("0 9 * * *"),
                start=datetime(2026, 1, 1, tzinfo=UTC),
                end=datetime(2027, 6, 30, 22, tzinfo=UTC),
                timezone="Europe/Berlin",
                dst=Dst(Gap.SKIP, Repeat.BOTH),
                skip_on=[calendar_of("holidays", ())],
            ),
            "at 09:00 every day, Europe/Berlin, but not on days of `holidays`, "
            "from 2026-01-01T01:00:00+01:00 on, until before 2027-07-01T00:00:00+02:00, "
            "not made up for where clocks skip it, twice where clocks show it twice",
        ),
        (
            qualified(Every(timedelta(hours=1)), only_on=[calendar_of("a", ()), calendar_of("b", ())]),
            "every 1h, counted from 1970-01-01T00:00:00Z, only on days of `a` or `b` in UTC",
        ),
        (
            union([Cron("0 9 * * *"), qualified(Cron("0 9 * * *"), timezone="Europe/Rome")]),
            "at 09:00 every day, Europe/Rome; and at 09:00 every day, UTC",
        ),
    ],
)
def test_other_schedules_in_words(schedule: Schedule, words: str) -> None:
    assert schedule_words(schedule, "UTC") == words


def test_retries_in_words() -> None:
    def failure(**retry: object) -> str:
        return policy_words(Policy(retry=Retry(**retry)))["failure"]  # type: ignore[arg-type]

    assert failure() == "not tried again"
    assert failure(attempts=2) == "tried again once, after 10s"
    assert failure(attempts=3, jitter=True) == "tried again up to 2 times, after 10s, spread at random"
    assert failure(attempts=9, backoff=Backoff.EXPONENTIAL) == (
        "tried again up to 8 times, after 10s, each time twice as long, at most 1h"
    )


MINUTES = ["*", "0", "5,35", "*/15", "7/15", "0-29", "*/7", "10-40/10", "1,2,4,8,16,32,45"]
HOURS = ["*", "2", "2,14", "9-17", "*/2", "1-23/2", "*/5"]
DAYS = ["*", "1", "1,15", "L", "LW", "L,LW", "1-31", "*/2", "29-31", "1,3,5,7,9,11,14"]
MONTHS = ["*", "1", "JAN-MAR", "*/2", "2,12"]
WEEKDAYS = ["*", "0-6", "MON", "MON-FRI", "FRI-MON", "SAT,SUN", "TUE#1", "TUE#5", "5L", "MON,TUE#1", "*/2"]
SECONDS = ["", "", "30 ", "* ", "*/10 ", "0,30 "]


@st.composite
def expressions(draw: st.DrawFn) -> str:
    fields = [draw(st.sampled_from(each)) for each in (MINUTES, HOURS, DAYS, MONTHS, WEEKDAYS)]
    return draw(st.sampled_from(SECONDS)) + " ".join(fields)


def days_of_a_cycle(expression: str) -> list[int]:
    """Return the days named in every month of 28 years, in which each date falls on each weekday."""
    times = read_cron(expression).times
    return [
        times.days.in_month(year, month) if times.months >> month & 1 else 0
        for year in range(2001, 2029)
        for month in range(1, 13)
    ]


@given(expressions(), expressions())
def test_what_reads_the_same_means_the_same(one: str, other: str) -> None:
    try:
        words = schedule_words(Cron(one), "UTC"), schedule_words(Cron(other), "UTC")
    except InvalidCron:
        assume(False)
    ours, theirs = read_cron(one).times, read_cron(other).times
    if words[0] == words[1]:
        assert (ours.seconds, ours.minutes, ours.hours) == (theirs.seconds, theirs.minutes, theirs.hours)
        assert days_of_a_cycle(one) == days_of_a_cycle(other)


def test_all_that_is_generated_reads_differently_unless_it_is_the_same() -> None:
    """Every pair of days and weekdays, whole: no chance is left to them."""
    by_words: dict[str, list[int]] = {}
    for day in DAYS:
        for weekday in WEEKDAYS:
            expression = f"0 2 {day} * {weekday}"
            named = days_of_a_cycle(expression)
            assert by_words.setdefault(schedule_words(Cron(expression), "UTC"), named) == named, expression


@pytest.mark.parametrize(
    ("schedule", "line"),
    [
        (Cron("0 9 * * *"), "0 9 * * * (UTC)"),
        (Every(timedelta(minutes=15)), "every 15m"),
        (Manual(), "manual"),
        (
            qualified(
                Cron("0 9 * * *"), timezone="Europe/Berlin", end=datetime(2026, 12, 31, 23, tzinfo=UTC)
            ),
            "0 9 * * * (Europe/Berlin) until 2027-01-01",
        ),
        (
            qualified(Every(timedelta(hours=1)), start=datetime(2026, 1, 1, 9, 30, tzinfo=UTC)),
            "every 1h from 2026-01-01T09:30:00Z",
        ),
        (
            qualified(Every(timedelta(hours=1)), skip_on=[calendar_of("holidays", ())]),
            "every 1h (UTC) except on holidays",
        ),
        (union([Cron("0 9 * * *"), Cron("0 8 * * *")]), "2 schedules (UTC)"),
        (
            union([Cron("0 9 * * *"), qualified(Cron("0 9 * * *"), timezone="Asia/Tokyo")]),
            "2 schedules (2 zones)",
        ),
        (union([Every(timedelta(hours=1)), Every(timedelta(hours=5))]), "2 schedules"),
    ],
)
def test_a_schedule_in_a_table_is_short_and_says_what_stands_beside_it(schedule: Schedule, line: str) -> None:
    assert schedule_line(schedule, "UTC") == line


def test_what_clock_changes_do_is_said_once_or_for_each_schedule() -> None:
    fixed = "a time that clocks skip fires right after, once; one shown twice fires once, the first time"
    real = "follows real time: fires whenever clocks show one of its times, and not for those they skip"

    assert clock_words(Manual(), "UTC") == ()
    assert clock_words(union([Cron("0 9 * * *"), Cron("0 8 * * *")]), "UTC") == (fixed,)
    assert clock_words(union([Cron("0 9 * * *"), Cron("0 * * * *")]), "UTC") == (
        f"0 * * * * (UTC): {real}",
        f"0 9 * * * (UTC): {fixed}",
    )
    assert clock_words(qualified(Cron("0 9 * * *"), dst=Dst(Gap.SKIP, Repeat.BOTH)), "UTC") == (
        "a time that clocks skip does not fire; one shown twice fires both times",
    )
    assert clock_words(Every(timedelta(hours=1)), "UTC") == ("counts real time: clock changes move no fire",)


def test_jitter_and_the_age_of_missed_fires_in_words() -> None:
    words = policy_words(Policy(jitter=timedelta(minutes=10), catch_up_window=timedelta(hours=6)))

    assert words["jitter"] == "a fire comes up to 10m late: how much follows from its task and nominal time"
    assert words["missed"] == "of missed fires the latest is made up for, if it is at most 6h old"
    assert "jitter" not in policy_words(Policy())
