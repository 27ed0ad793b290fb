"""What validate warns of: each warning in its words, and silence about what people rightly write."""

from datetime import UTC, date, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from taskcfg.spec.advice import advice_on
from taskcfg.spec.calendar import calendar_of
from taskcfg.spec.schedule import Cron, CronFields, Dst, Every, Gap, Part, qualified
from taskcfg.spec.times.timetable import timetable

NOW = datetime(2026, 1, 15, 12, tzinfo=UTC)
ZONES = (
    "America/New_York",
    "Europe/Berlin",
    "Australia/Lord_Howe",
    "America/Santiago",
    "Asia/Kathmandu",
    "UTC",
)


def messages(part: Part, zone: str = "UTC", *, dst_written: bool = False) -> list[str]:
    return [each.message for each in advice_on(part, zone, NOW, dst_written=dst_written)]


@pytest.mark.parametrize(
    "expression",
    [
        *("0 3 * * *", "*/15 * * * *", "* * * * *", "0 9 * * MON-FRI", "@daily", "@hourly", "0 0 1 * *"),
        *("0 0 L * *", "0 6 LW * *", "0 9 * * TUE#1", "0 0 29 2 *", "0 0 31 1,3,5 *", "0 */6 * * *"),
        *("0 0 1,15 * *", "0 0 15,31 * *", "*/10 * * * * *", "0 9 1 */2 *", "0 0 1-7 * */1"),
        *("0 0 * * 1,3", "0 0 1-31 * *", "0 9-17 * * 1-5", "@weekly", "@monthly", "@yearly", "5/15 * * * *"),
        *(
            "*/45 3 * * *",
            "*/60 * * * *",
            "0 */24 * * *",
            "0 0 28-31 * *",
            "10-59/10 * * * *",
            "0 0 1/31 * *",
        ),
        *("*/25 0 9 * * *", "0 */5 * * MON", "0 0 */10 6 *", "7,37 * * * *", "*/1 * * * *", "0 0 * */6 *"),
    ],
)
def test_what_people_rightly_write_is_not_warned_of(expression: str) -> None:
    assert messages(Cron(expression)) == []


def test_either_day_field_says_how_often_it_fires_and_how_to_say_both() -> None:
    (found,) = advice_on(Cron("30 9 1-7 * 2"), "UTC", NOW, dst_written=False)

    assert found.message == "fires when either day field matches: 124 times in 2027; both match 12 times"
    assert found.hint == (
        "for both, write `cron: {minute: 30, hour: 9, day: 1-7, day_of_week: TUE}`; "
        "for either, a list of two schedules says so"
    )


@given(st.integers(1, 31), st.integers(1, 31), st.integers(0, 6))
def test_the_numbers_of_either_and_both_are_those_of_the_days(first: int, last: int, weekday: int) -> None:
    first, last = sorted((first, last))
    days = [date(2027, 1, 1) + timedelta(number) for number in range(365)]
    numbered = {day for day in days if first <= day.day <= last}
    named = {day for day in days if day.isoweekday() % 7 == weekday}

    (found,) = [each for each in messages(Cron(f"0 9 {first}-{last} * {weekday}")) if "either" in each]

    assert f": {len(numbered | named):,} times in 2027; both match {len(numbered & named):,} times" in found


@pytest.mark.parametrize(
    ("part", "zone", "message"),
    [
        (
            Cron("30 2 * * *"),
            "Europe/Berlin",
            "in Europe/Berlin 02:30 does not exist on 29 Mar 2026 (fires at 03:00) "
            "and 02:30 comes twice on 25 Oct 2026 (fires once, the first time)",
        ),
        (
            CronFields((("minute", "15"), ("hour", "2"))),
            "Australia/Lord_Howe",
            "in Australia/Lord_Howe 02:15 does not exist on 4 Oct 2026 (fires at 02:30)",
        ),
        (
            Cron("0 0 * * *"),
            "America/Santiago",
            "in America/Santiago 00:00 does not exist on 6 Sep 2026 (fires at 01:00)",
        ),
        (
            qualified(Cron("30 2 * * SUN"), timezone="America/New_York"),
            "UTC",
            "in America/New_York 02:30 does not exist on 8 Mar 2026 (fires at 03:00)",
        ),
    ],
)
def test_a_fixed_time_that_clocks_skip_or_repeat_is_named_with_its_day(
    part: Part, zone: str, message: str
) -> None:
    assert messages(part, zone) == [message]
    assert messages(part, zone, dst_written=True) == []


@pytest.mark.parametrize(
    ("part", "zone"),
    [
        (Cron("30 2 * * MON"), "Europe/Berlin"),  # clocks change on Sundays
        (Cron("30 4 * * *"), "Europe/Berlin"),
        (Cron("*/15 2 * * *"), "Europe/Berlin"),  # follows real time
        (Cron("30 2 * * *"), "Asia/Kathmandu"),
        (Every(timedelta(hours=1)), "Europe/Berlin"),
        (
            qualified(Cron("30 2 * * *"), skip_on=[calendar_of("changes", [], weekdays=0b1)]),
            "Europe/Berlin",
        ),
    ],
)
def test_a_time_that_no_change_concerns_is_not_warned_of(part: Part, zone: str) -> None:
    assert messages(part, zone) == []


@given(
    st.integers(0, 59),
    st.integers(0, 4),
    st.sampled_from(["*", "SUN", "SAT", "1-10"]),
    st.sampled_from(ZONES),
)
def test_a_time_is_warned_of_only_where_some_fire_is_off_it(
    minute: int, hour: int, day: str, zone: str
) -> None:
    fields = f"{day} * *" if "-" in day else f"* * {day}"
    part = Cron(f"{minute} {hour} {fields}")

    table = timetable(part, zone)
    fires = list(table.between(NOW, NOW + timedelta(days=395), 1000))
    off = [fire for fire in fires if fire.skipped or not _unambiguous(fire.local)]

    assert bool(messages(part, zone)) == bool(off)


def _unambiguous(local: datetime) -> bool:
    return local.replace(fold=0).utcoffset() == local.replace(fold=1).utcoffset()


@pytest.mark.parametrize(
    ("part", "message"),
    [
        (Cron("0 0 31 * *"), "does not fire in February, April, June, September, November"),
        (Cron("0 0 30,31 * *"), "does not fire in February"),
        (Cron("0 0 29 * *"), "does not fire in February, except in leap years"),
        (CronFields((("day", "31"), ("month", "1-4"))), "does not fire in February, April"),
    ],
)
def test_a_day_that_months_do_not_have_is_said_with_the_months(part: Part, message: str) -> None:
    (found,) = advice_on(part, "UTC", NOW, dst_written=False)

    assert (found.message, found.hint) == (message, "`L` is the last day of every month")


@pytest.mark.parametrize(
    ("expression", "message", "hint"),
    [
        (
            "*/7 * * * *",
            "minute `*/7` begins anew each hour: the last interval is 4 minutes, not 7",
            "every: 7m",
        ),
        ("0 */5 * * *", "hour `*/5` begins anew each day: the last interval is 4 hours, not 5", "every: 5h"),
        (
            "*/45 * * * *",
            "minute `*/45` begins anew each hour: the last interval is 15 minutes, not 45",
            "every: 45m",
        ),
        (
            "*/8 * * * * *",
            "second `*/8` begins anew each minute: the last interval is 4 seconds, not 8",
            "every: 8s",
        ),
        (
            "0 0 */10 * *",
            "day of month `*/10` begins anew each month: the last interval may be 1 day, not 10",
            "every: 10d",
        ),
    ],
)
def test_a_step_that_does_not_divide_says_its_last_interval(expression: str, message: str, hint: str) -> None:
    (found,) = advice_on(Cron(expression), "UTC", NOW, dst_written=False)

    assert found.message == message
    assert found.hint == f"write `{hint}` for an even one"


@pytest.mark.parametrize(
    ("part", "message", "hint"),
    [
        (
            Cron("*/7 9-17 * * MON-FRI"),
            "minute `*/7` begins anew each hour: the last interval is 4 minutes, not 7",
            "`*/6` and `*/10` are even",
        ),
        (
            Cron("30 */5 * * *"),
            "hour `*/5` begins anew each day: the last interval is 4 hours, not 5",
            "write `every: 5h`, with an `anchor`, for an even one",
        ),
        (
            CronFields((("minute", "*/40"),)),
            "minute `*/40` begins anew each hour: the last interval is 20 minutes, not 40",
            "write `every: 40m` for an even one",
        ),
        (
            Cron("3-59/7 * * * *"),  # what `H/7` becomes
            "minute `3-59/7` begins anew each hour: the last interval is 4 minutes, not 7",
            "write `every: 7m` for an even one",
        ),
        (
            Cron("0 3 */10 1-6 *"),
            "day of month `*/10` begins anew each month: the last interval may be 1 day, not 10",
            "name the days, such as `1,11,21`",
        ),
        (
            Cron("0 0 1 */5 *"),
            "month `*/5` begins anew each year: the last interval is 2 months, not 5",
            "`*/4` and `*/6` are even",
        ),
        (
            Cron("*/90 * * * *"),
            "minute `*/90` steps past the last one: it is minute 0 each hour",
            "write `every: 1h30m` for an even one",
        ),
    ],
)
def test_a_step_in_a_larger_rule_is_mended_within_it(part: Part, message: str, hint: str) -> None:
    (found,) = advice_on(part, "UTC", NOW, dst_written=False)

    assert (found.message, found.hint) == (message, hint)


@given(st.integers(2, 59), st.sampled_from([("{} * * * *", "minute"), ("0 {} * * *", "hour")]))
def test_a_step_is_warned_of_where_its_intervals_differ(number: int, field: tuple[str, str]) -> None:
    expression, word = field
    part = Cron(expression.format(f"*/{number}"))
    fires = [each.at for each in timetable(part, "UTC").between(NOW, NOW + timedelta(days=3), 500)]
    intervals = {later - earlier for earlier, later in pairwise(fires)}

    found = [each for each in messages(part) if "begins anew" in each]

    assert bool(found) == (len(intervals) > 1)
    if found:
        shortest = min(intervals) // timedelta(**{f"{word}s": 1})
        assert f"the last interval is {shortest} {word}" in found[0] and f", not {number}" in found[0]


@pytest.mark.parametrize(
    ("part", "zone", "message"),
    [
        (
            Cron("30 2 * * *"),
            "Africa/Casablanca",
            "in Africa/Casablanca 02:30 comes twice on 15 Feb 2026 (fires once, the first time) "
            "and 02:30 does not exist on 22 Mar 2026 (fires at 03:00)",
        ),
        (
            Cron("30 23 * * SAT"),
            "America/Nuuk",
            "in America/Nuuk 23:30 does not exist on 28 Mar 2026 (fires at 00:00 on 29 Mar 2026) "
            "and 23:30 comes twice on 24 Oct 2026 (fires once, the first time)",
        ),
    ],
)
def test_only_the_next_change_of_each_kind_is_said(part: Part, zone: str, message: str) -> None:
    assert messages(part, zone) == [message]


def test_a_policy_for_clock_changes_where_none_applies_has_no_effect() -> None:
    hourly = qualified(Cron("0 * * * *"), dst=Dst(gap=Gap.SKIP))
    fixed = qualified(Cron("30 2 * * *"), dst=Dst(gap=Gap.SKIP))

    (found,) = advice_on(hourly, "Europe/Berlin", NOW, dst_written=True)

    assert (found.field, found.message) == (
        "dst",
        "has no effect: with `*` as minute or hour a schedule follows real time",
    )
    assert messages(fixed, "Europe/Berlin", dst_written=True) == []
