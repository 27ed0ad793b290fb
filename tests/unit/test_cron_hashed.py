"""`H` in cron rules: each task's own time, the same for ever, and spread evenly over many tasks."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from taskcfg.spec.times.cron import read_cron, read_cron_fields
from taskcfg.spec.times.cron_terms import InvalidCron
from taskcfg.spec.times.hashed import resolved, resolved_fields

NAMES = [f"team-{number}.nightly" for number in range(1000)]


@pytest.mark.parametrize(
    ("expression", "nightly", "weekly"),
    [
        ("H H * * *", "42 5 * * *", "29 1 * * *"),
        ("H/15 * * * *", "12-59/15 * * * *", "14-59/15 * * * *"),
        ("H(0-29)/10 * * * *", "2-29/10 * * * *", "9-29/10 * * * *"),
        ("H H(1-5) H H H", "42 5 19 1 1", "29 1 24 8 3"),
        ("H H * * * *", "16 42 * * * *", "14 29 * * * *"),
        ("h,30 2 * * *", "42,30 2 * * *", "29,30 2 * * *"),
    ],
)
def test_the_times_of_a_name_never_change(expression: str, nightly: str, weekly: str) -> None:
    assert resolved(expression, "billing.nightly") == nightly
    assert resolved(expression, "reports.weekly") == weekly


@pytest.mark.parametrize(
    ("expression", "place", "values", "most"),
    [
        ("H * * * *", 0, range(60), 40),
        ("H H * * * *", 0, range(60), 40),
        ("0 H * * *", 1, range(24), 80),
        ("0 0 H * *", 2, range(1, 29), 70),
        ("0 0 1 H *", 3, range(1, 13), 125),
        ("0 0 * * H", 4, range(7), 200),
        ("H(10-19) * * * *", 0, range(10, 20), 150),
    ],
)
def test_over_many_names_every_value_comes_about_as_often(
    expression: str, place: int, values: range, most: int
) -> None:
    found = Counter(int(resolved(expression, name).split()[place]) for name in NAMES)

    assert set(found) == set(values)
    assert max(found.values()) <= most


def test_a_step_begins_anywhere_within_its_first() -> None:
    starts = Counter(resolved("H/15 * * * *", name).split()[0] for name in NAMES)

    assert set(starts) == {f"{start}-59/15" for start in range(15)}


@given(
    st.text(min_size=1, max_size=30),
    st.sampled_from(
        ["H H H H H", "H H H H H H", "H/7 H/5 H/3 H/2 *", "H(0-29)/10 H(9-17) H(1-7) H(3-5) H(1-5)"]
    ),
)
def test_what_is_resolved_is_plain_text_that_fires(name: str, expression: str) -> None:
    text = resolved(expression, name)

    assert "H" not in text
    assert read_cron(text).text == text
    assert resolved(text, name) == text


def test_named_fields_take_it_too_and_weekdays_stay_names() -> None:
    fields = (("minute", "H"), ("hour", "H(1-5)"), ("day_of_week", "H"))

    found = resolved_fields(fields, "billing.nightly")

    assert found == (("minute", "42"), ("hour", "5"), ("day_of_week", "MON"))
    assert read_cron_fields(found).times == read_cron("42 5 * * MON").times


@pytest.mark.parametrize(
    ("expression", "message"),
    [
        ("H(0-60) * * * *", "minute `H(0-60)`: expected a range within 0-59"),
        ("0 H(20-4) * * *", "hour `H(20-4)`: expected a range within 0-23"),
        ("0 0 H(0-5) * *", "day of month `H(0-5)`: expected a range within 1-31"),
        ("0 0 1 H(1-13) *", "month `H(1-13)`: expected a range within 1-12"),
        ("0 0 * * H(0-7)", "day of week `H(0-7)`: expected a range within 0-6"),
        ("H/0 * * * *", "minute `H/0`: the step after `/` is a whole number from 1"),
        ("H/61 * * * *", "minute `H/61`: a step of at most 60 fits there"),
        ("H(0-9)/11 * * * *", "minute `H(0-9)/11`: a step of at most 10 fits there"),
        ("H/x * * * *", "minute `H/x` cannot be read"),
        ("H( * * * *", "minute `H(` cannot be read"),
    ],
)
def test_an_h_that_cannot_be_read_says_what_fits(expression: str, message: str) -> None:
    with pytest.raises(InvalidCron) as raised:
        resolved(expression, "billing.nightly")

    assert str(raised.value) == message


@pytest.mark.parametrize("expression", ["0 3 * * *", "@hourly", "0 0 * MAR THU", "H * * *", "H * * * * * *"])
def test_text_without_h_or_of_another_shape_is_left_to_its_reader(expression: str) -> None:
    assert resolved(expression, "billing.nightly") == expression
