"""Crontab text: five fields as Debian's cron reads them; whatever else is refused with a reason."""

import pytest
from cronsim import CronSim, CronSimError
from hypothesis import given
from hypothesis import strategies as st

from taskcfg.spec.times.cron import read_cron
from taskcfg.spec.times.cron_terms import InvalidCron
from taskcfg.testing import SPRING_FORWARD


@pytest.mark.parametrize(
    "expression",
    [
        *("* * * * *", "*/5 9-17 * * MON-FRI", "0 0 * * 7", "0,30 1 1-7 JAN,jul sun", "0 0 29 2 *"),
        *("0 0 L * *", "0 0 LW * *", "0 0 * * 5L", "0 0 * * TUE#1", "0 0 * 2 MON#5", "0 0 30 2 MON"),
    ],
)
def test_five_fields_are_taken_as_they_are(expression: str) -> None:
    assert read_cron(expression).text == expression


def test_spaces_between_the_fields_do_not_matter() -> None:
    assert read_cron(" 0\t3  * * *\n").text == "0 3 * * *"


@pytest.mark.parametrize(
    "expression",
    [
        *("0 0 30 2 *", "0 0 31 4,6,9,11 *", "0 0 30-31 FEB *", "0 0 31 2 */2", "0 0 */31 * MON#5"),
    ],
)
def test_an_expression_that_never_fires_says_so(expression: str) -> None:
    with pytest.raises(InvalidCron, match="never fires"):
        read_cron(expression).text


@pytest.mark.parametrize(
    ("expression", "hint"),
    [
        ("0 0 3 * * *", "write five: minute, hour, day of month, month, day of week"),
        ("0 0 3 * * * 2026", "write five: minute, hour, day of month, month, day of week"),
        ("@daily", "write `0 0 * * *`"),
        ("@Hourly", "write `0 * * * *`"),
        ("@reboot", "write the five fields"),
        ("H 3 * * *", "write a number"),
        ("H/15 * * * *", "write a number"),
        ("H(0-29) 3 * * *", "write a number"),
        ("0 3 * * FRI-MON", "write `FRI,SAT,SUN,MON`"),
        ("0 3 * * 6-1", "write `SAT,SUN,MON`"),
    ],
)
def test_what_comes_later_is_said_to_come_later(expression: str, hint: str) -> None:
    with pytest.raises(InvalidCron, match="not supported by this version of taskcfg") as raised:
        read_cron(expression).text

    assert raised.value.hint == hint


@pytest.mark.parametrize(
    ("expression", "message"),
    [
        ("60 * * * *", "minute `60` is not within 0-59"),
        ("* 24 * * *", "hour `24` is not within 0-23"),
        ("* * 0 * *", "day of month `0` is not within 1-31"),
        ("* * * 13 *", "month `13` is not within 1-12 or JAN-DEC"),
        ("* * * * 8", "day of week `8` is not within 0-7 or SUN-SAT"),
        ("* * * * MON-8", "day of week `8` is not within 0-7 or SUN-SAT"),
        ("*/0 * * * *", "minute `*/0`: the step after `/` is a whole number from 1"),
        ("1-2-3 * * * *", "minute `1-2-3` cannot be read"),
        ("* * 15W * *", "day of month `15W` cannot be read"),
        ("* * ? * *", "day of month `?` is another dialect's"),
        ("* 22-2 * * *", "hour `22-2`: a range goes upwards"),
        ("* *", "`* *` has 2 fields"),
        ("", "`` has 0 fields"),
    ],
)
def test_a_mistake_names_the_field_and_what_it_takes(expression: str, message: str) -> None:
    with pytest.raises(InvalidCron) as raised:
        read_cron(expression).text

    assert str(raised.value) == message


terms = st.text("0123456789*/-,LWH#?MONFRI ", max_size=8)


@given(st.lists(terms, min_size=5, max_size=5).map(" ".join))
def test_what_is_taken_cronsim_takes_too(expression: str) -> None:
    try:
        text = read_cron(expression).text
    except InvalidCron as error:
        if "never fires" in str(error):
            with pytest.raises((CronSimError, StopIteration)):
                next(CronSim(expression, SPRING_FORWARD))
        return

    assert len(text.split()) == 5
    assert next(CronSim(text, SPRING_FORWARD)) > SPRING_FORWARD
