"""Warnings about tasks as a whole: a timeout beyond the next fire, and too much at minute 0."""

from datetime import UTC, datetime, timedelta

from taskcfg.spec.policy import Overlap, OverlapMode, Policy
from taskcfg.spec.schedule import Cron, Every, Manual, Part, union
from taskcfg.spec.task import TaskSpec
from taskcfg.spec.task_advice import advice_on_pile_up, advice_on_timeout
from taskcfg.spec.times.shortest import shortest_interval
from taskcfg.testing import make_spec

NOW = datetime(2026, 1, 15, 12, tzinfo=UTC)


def minutes(number: float) -> timedelta:
    return timedelta(minutes=number)


def hourly(number: int, minute: str = "0", **values: object) -> list[TaskSpec]:
    schedule = Cron(f"{minute} * * * *")
    return [make_spec(f"at-{minute}-{each:02}", schedule=schedule, **values) for each in range(number)]


def test_the_shortest_interval_is_found_in_lists_and_around_clock_changes() -> None:
    every: Part = Every(minutes(90))
    night = Cron("30 2,4 * * *")

    assert shortest_interval(every, "UTC", NOW) == minutes(90)
    assert shortest_interval(union([Cron("0 * * * *"), Cron("50 3 * * *")]), "UTC", NOW) == minutes(10)
    assert shortest_interval(night, "UTC", NOW) == minutes(120)
    assert shortest_interval(night, "Europe/Berlin", NOW) == minutes(
        90
    )  # 02:30 is skipped: 03:00, then 04:30
    assert shortest_interval(Manual(), "UTC", NOW) is None


def test_a_timeout_beyond_the_next_fire_says_what_the_overlap_policy_makes_of_it() -> None:
    skipping = make_spec(schedule=Every(minutes(5)), policy=Policy(timeout=minutes(10)))
    allow = Policy(timeout=minutes(10), overlap=Overlap(OverlapMode.ALLOW))

    found = advice_on_timeout(skipping, NOW)
    side_by_side = advice_on_timeout(make_spec(schedule=Cron("*/5 * * * *"), policy=allow), NOW)

    assert found is not None and side_by_side is not None
    assert (found.field, found.hint) == (
        "timeout",
        "a timeout of at most 5m, or fires that are farther apart",
    )
    assert found.message == (
        "10m is longer than the 5m between two fires: a fire is skipped while an earlier one runs"
    )
    assert side_by_side.message.endswith("between two fires: fires run side by side")


def test_a_timeout_that_fits_is_not_warned_of() -> None:
    for schedule in (Every(minutes(10)), Cron("0 3 * * *"), Manual()):
        policy = Policy(timeout=minutes(10))
        assert advice_on_timeout(make_spec(schedule=schedule, policy=policy), NOW) is None
    off = make_spec(schedule=Every(minutes(5)), policy=Policy(timeout=minutes(10)), enabled=False)
    assert advice_on_timeout(off, NOW) is None


def test_most_tasks_at_minute_0_are_said_once_with_a_way_out() -> None:
    found = advice_on_pile_up([*hourly(1, "5"), *hourly(6)])

    assert found is not None
    spec, advice = found
    assert spec.name == "at-0-00"
    assert advice.message == "6 of 7 cron tasks start at minute 0 of the same hour, 00:00"
    assert advice.hint is not None and "`H`" in advice.hint and "jitter" in advice.hint


def test_few_tasks_or_spread_ones_are_no_pile_up() -> None:
    each_hour = [make_spec(f"at-{hour:02}", schedule=Cron(f"0 {hour} * * *")) for hour in range(24)]

    assert advice_on_pile_up([]) is None
    assert advice_on_pile_up(hourly(4)) is None
    assert advice_on_pile_up(each_hour) is None
    assert advice_on_pile_up([*hourly(5), *hourly(5, "7")]) is None
    assert advice_on_pile_up(hourly(9, policy=Policy(jitter=minutes(5)))) is None
    assert advice_on_pile_up([make_spec(f"every-{n}", schedule=Every(minutes(60))) for n in range(9)]) is None
