"""What a plan says of a calendar whose days changed."""

from datetime import UTC, date, datetime, timedelta

from taskcfg.reconcile.calendar_changes import days_changed
from taskcfg.reconcile.describe import plan_lines
from taskcfg.reconcile.plan import build_plan
from taskcfg.reconcile.state import LiveTask
from taskcfg.spec.calendar import Calendar, calendar_of
from taskcfg.spec.schedule import Cron, Every, Schedule, qualified, union
from taskcfg.testing import make_spec

TODAY = datetime(2026, 11, 23, 9, tzinfo=UTC)
EVE, YEARS_END, PAST = date(2026, 12, 24), date(2026, 12, 31), date(2026, 1, 6)


def days(*dates: date, weekdays: int = 0, name: str = "closures") -> Calendar:
    return calendar_of(name, dates, weekdays)


def planned(before: Schedule, after: Schedule) -> list[str]:
    old, new = make_spec("a", schedule=before), make_spec("a", schedule=after)
    plan = build_plan("main", {"a": new}, {"a": LiveTask(1, "a", old.digest, 1, 1, spec=old)})
    return [line.strip() for line in plan_lines(plan, TODAY)[3:-1]]


def test_the_dates_that_come_and_go_are_counted_and_the_next_are_named() -> None:
    later = [EVE + timedelta(days=number) for number in range(5)]

    assert days_changed(days(PAST), days(EVE, YEARS_END), TODAY.date()) == (
        "2 dates more, 1 less: +2026-12-24, +2026-12-31"
    )
    assert days_changed(days(EVE), days(), TODAY.date()) == "1 date less: -2026-12-24"
    assert days_changed(days(), days(*later), TODAY.date()) == (
        "5 dates more: +2026-12-24, +2026-12-25, +2026-12-26, …"
    )
    assert days_changed(days(), days(PAST), TODAY.date()) == "1 date more, all in the past"
    assert days_changed(days(weekdays=1), days(weekdays=1 << 6)) == "-SUN, +SAT"


def test_a_task_whose_calendars_days_changed_gets_one_line_for_it() -> None:
    rule = Cron("0 9 * * *")

    lines = planned(qualified(rule, skip_on=[days(EVE)]), qualified(rule, skip_on=[days(EVE, YEARS_END)]))

    assert lines == ["schedule.skip_on  closures: 1 date more: +2026-12-31"]


def test_another_calendar_is_named_and_one_that_also_changed_says_its_days() -> None:
    rule = Cron("0 9 * * *")
    other = days(EVE, name="other")

    lines = planned(
        qualified(rule, skip_on=[days(EVE)]), qualified(rule, skip_on=[days(EVE, YEARS_END), other])
    )

    assert lines == [
        'schedule.skip_on  ["closures"] -> ["closures", "other"]',
        "schedule.skip_on  closures: 1 date more: +2026-12-31",
    ]


def test_in_a_list_of_schedules_the_line_is_of_the_schedule() -> None:
    hourly = Every(timedelta(hours=1))

    lines = planned(
        union([hourly, qualified(Cron("0 9 * * *"), only_on=[days(EVE)])]),
        union([hourly, qualified(Cron("0 9 * * *"), only_on=[days()])]),
    )

    assert lines == ["schedule  closures: 1 date less: -2026-12-24"]
