"""Crontab text: as Debian's cron reads it, and some more; whatever else is refused with a reason."""

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
        read_cron(expression)


@pytest.mark.parametrize(
    ("expression", "same"),
    [
        ("0 0 3 * * *", "0 3 * * *"),
        ("@Daily", "0 0 * * *"),
        ("@hourly", "0 * * * *"),
        ("@weekly", "0 0 * * SUN"),
        ("@annually", "0 0 1 JAN *"),
        ("0 3 * * FRI-MON", "0 3 * * FRI,SAT,SUN,MON"),
        ("0 3 * * 6-1", "0 3 * * SAT,SUN,MON"),
        ("0 3 * * MON-SUN", "0 3 * * *"),
        ("0 3 * * FRI-MON/2", "0 3 * * FRI,SUN"),
        ("0 3 * * FRIL", "0 3 * * 5L"),
    ],
)
def test_one_meaning_may_be_written_in_several_ways(expression: str, same: str) -> None:
    assert read_cron(expression).times == read_cron(same).times


@pytest.mark.parametrize(
    ("expression", "message", "hint"),
    [
        (
            "0 0 3 * * * 2026",
            "`0 0 3 * * * 2026` has 7 fields",
            "years go into the form with named fields: `cron: {minute: 0, hour: 9, year: 2027}`",
        ),
        ("@reboot", "`@reboot` is no time: tasks do not depend on when a machine starts", None),
        (
            "@often",
            "`@often` is no nickname",
            "expected one of @yearly, @annually, @monthly, @weekly, @daily, @midnight, @hourly, "
            "or five fields",
        ),
    ],
)
def test_what_another_scheduler_takes_is_refused_with_another_way(
    expression: str, message: str, hint: str | None
) -> None:
    with pytest.raises(InvalidCron) as raised:
        read_cron(expression)

    assert (str(raised.value), raised.value.hint) == (message, hint)


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
        read_cron(expression)

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
