"""Durations: every spelling in, one canonical number of seconds, the shortest exact spelling out."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from taskcfg.spec.duration import LONGEST, duration_text, parse_duration, seconds

durations = st.timedeltas(min_value=timedelta(0), max_value=LONGEST)


@pytest.mark.parametrize(
    ("written", "seconds_meant"),
    [
        ("90s", 90),
        ("15m", 900),
        ("6h", 21_600),
        ("30d", 2_592_000),
        ("2w", 1_209_600),
        ("1h30m", 5_400),
        ("1w2d3h4m5s", 788_645),
        ("1.5h", 5_400),
        (" 5m ", 300),
        ("PT15M", 900),
        ("P1DT2H", 93_600),
        ("P2W", 1_209_600),
        ("PT0.5S", 0.5),
        (90, 90),
        (0.25, 0.25),
        ("90", 90),
        (0, 0),
        (timedelta(minutes=2), 120),
    ],
)
def test_a_duration_is_read_in_every_spelling(written: object, seconds_meant: float) -> None:
    assert parse_duration(written) == timedelta(seconds=seconds_meant)


@pytest.mark.parametrize(
    "written",
    [
        *("", "s", "P", "PT", "P1DT", "1:30", "-5m", "5 m", "15min", "1m1h", "P1M", "P1Y", "1e3", "٣m", "5M"),
        *(-1, 1e300, 10**400, float("nan"), float("inf"), True, None, [], {"hours": 1}, "40000d"),
    ],
)
def test_what_is_no_duration_is_refused_with_what_was_expected(written: object) -> None:
    with pytest.raises(ValueError, match="duration"):
        parse_duration(written)


@given(durations)
def test_the_spelling_is_read_back_as_the_same_duration(duration: timedelta) -> None:
    assert parse_duration(duration_text(duration)) == duration


@given(durations.map(lambda duration: timedelta(seconds=duration // timedelta(seconds=1))))
def test_the_stored_number_of_seconds_is_read_back_as_the_same_duration(duration: timedelta) -> None:
    stored = seconds(duration)

    assert isinstance(stored, int)
    assert parse_duration(stored) == duration


@pytest.mark.parametrize(
    ("duration", "text"),
    [
        (timedelta(0), "0s"),
        (timedelta(seconds=90), "1m30s"),
        (timedelta(hours=1, minutes=30), "1h30m"),
        (timedelta(days=30), "30d"),
        (timedelta(seconds=1.5), "1.5s"),
        (timedelta(seconds=59.123456), "59.123456s"),
        (timedelta(microseconds=1), "0.000001s"),
        (timedelta(minutes=1, microseconds=250_000), "1m0.25s"),
    ],
)
def test_the_spelling_is_short_and_exact(duration: timedelta, text: str) -> None:
    assert duration_text(duration) == text
