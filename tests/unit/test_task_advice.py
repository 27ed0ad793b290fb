"""Warnings about tasks as a whole: a timeout beyond the next fire, and too much at minute 0."""

from datetime import UTC, datetime, timedelta

from taskcfg.problems import Position
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


def test_a_timeout_beyond_the_next_fire_says_what_becomes_of_it() -> None:
    found = advice_on_timeout(make_spec(schedule=Every(minutes(5)), policy=Policy(timeout=minutes(10))), NOW)
    of_cron = make_spec(schedule=Cron("*/5 * * * *"), policy=Policy(timeout=minutes(10)))

    assert found is not None
    assert found.field == "timeout"
    assert found.message == (
        "10m is longer than the 5m between two fires: a fire is skipped while an earlier one runs"
    )
    assert found.hint == "a timeout of at most 5m, fires that are farther apart, or another `overlap`"
    assert advice_on_timeout(of_cron, NOW) == found


def test_whoever_lets_attempts_overlap_is_not_told_that_they_do() -> None:
    for mode in set(OverlapMode) - {OverlapMode.SKIP}:
        policy = Policy(timeout=minutes(10), overlap=Overlap(mode))

        assert advice_on_timeout(make_spec(schedule=Every(minutes(5)), policy=policy), NOW) is None


def test_a_timeout_that_fits_is_not_warned_of() -> None:
    for schedule in (Every(minutes(10)), Cron("0 3 * * *"), Manual()):
        policy = Policy(timeout=minutes(10))
        assert advice_on_timeout(make_spec(schedule=schedule, policy=policy), NOW) is None
    off = make_spec(schedule=Every(minutes(5)), policy=Policy(timeout=minutes(10)), enabled=False)
    assert advice_on_timeout(off, NOW) is None


def test_most_tasks_at_minute_0_are_said_once_with_a_way_out() -> None:
    others = [*hourly(4, "5"), *hourly(7, "*/15"), make_spec("manual"), *hourly(3, "7", enabled=False)]
    daily = [make_spec(f"daily-{number}", schedule=Cron("@daily")) for number in range(4)]

    found = advice_on_pile_up([*others, *hourly(6), *daily])

    assert found is not None
    assert (found.first.name, found.advice.field) == ("at-0-00", "schedule")
    assert found.advice.message == (
        "10 of 14 tasks with one minute of the hour start at minute 0, 10 of them at 00:00 UTC"
    )
    assert found.advice.hint == (
        "`H` for the minute gives each task its own; `jitter: 5m` spreads them and keeps the nominal time"
    )


def test_tasks_at_minute_0_of_many_hours_are_a_pile_up_where_enough_meet() -> None:
    def daily(hours: int) -> list[TaskSpec]:
        return [make_spec(f"at-{n:02}", schedule=Cron(f"0 {n % hours} * * *")) for n in range(24)]

    found = advice_on_pile_up(daily(4))

    assert found is not None
    assert found.advice.message.endswith("start at minute 0, 6 of them at 00:00 UTC")
    assert advice_on_pile_up(daily(6)) is None


def test_few_tasks_or_spread_ones_are_no_pile_up() -> None:
    assert advice_on_pile_up([]) is None
    assert advice_on_pile_up(hourly(9)) is None
    assert advice_on_pile_up([*hourly(10), *hourly(10, "7")]) is None
    assert advice_on_pile_up(hourly(12, policy=Policy(jitter=minutes(5)))) is None
    assert advice_on_pile_up(hourly(12, enabled=False)) is None
    assert (
        advice_on_pile_up([make_spec(f"every-{n}", schedule=Every(minutes(60))) for n in range(12)]) is None
    )


def test_the_first_of_a_pile_up_is_the_first_in_the_files() -> None:
    later = hourly(10, position=Position("b.yaml", 2, 3))
    first = make_spec("zz", schedule=Cron("@hourly"), position=Position("a.yaml", 9, 3))

    found = advice_on_pile_up([*later, first])

    assert found is not None and found.first == first
