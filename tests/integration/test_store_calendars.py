"""Calendars in the database: saved with the tasks that name them, read once, missed when gone."""

from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any

import pytest
from sqlalchemy import delete, event, select, update

from stored import World
from taskcfg.reconcile.guard import Limits
from taskcfg.spec.calendar import Calendar, calendar_of
from taskcfg.spec.schedule import Cron, Every, qualified, union
from taskcfg.spec.task import TaskSpec
from taskcfg.store import task_configs
from taskcfg.store.database import reading, writing
from taskcfg.store.selecting import declared
from taskcfg.store.spec_columns import forget_schedules
from taskcfg.store.tables import calendar, task_config
from taskcfg.store.task_list import task_rows
from taskcfg.sync import Applied, Approval, Desired, apply_desired
from taskcfg.testing import make_spec

MISSING = (
    "MissingCalendar: the days of calendar `closed` are not in the database, or were changed there; "
    "`taskcfg apply` writes them again"
)


@pytest.fixture(autouse=True)
def nothing_known() -> Iterator[None]:
    forget_schedules()
    yield
    forget_schedules()


def apply(world: World, *specs: TaskSpec) -> Applied:
    desired = Desired({spec.name: spec for spec in specs}, 1, "digest", "tasks.d")
    limits = Limits(max_delete=1000, allow_empty=True)
    return apply_desired(world.database, desired, "main", Approval("tester", limits))


def closed_on(days: list[date], name: str = "closed") -> Calendar:
    return calendar_of(name, days)


def closed_for(world: World, days: int) -> Calendar:
    """The calendar of so many days from the database's today."""
    with reading(world.database) as connection:
        today = task_configs.database_time(connection).date()
    return closed_on([today + timedelta(days=number) for number in range(days)])


def spec_with(closed: Calendar, name: str = "a") -> TaskSpec:
    return make_spec(name, schedule=qualified(Cron("* * * * *"), skip_on=[closed]))


def saved(world: World) -> list[Any]:
    with reading(world.database) as connection:
        return list(connection.execute(select(calendar.c.name, calendar.c.digest)))


def test_an_apply_saves_each_calendar_once_whoever_names_it(world: World) -> None:
    closed = closed_on([date(2026, 12, 24)])
    both = union([Every(timedelta(hours=1)), qualified(Cron("0 9 * * *"), only_on=[closed])])

    apply(world, spec_with(closed), spec_with(closed, "b"), make_spec("c", schedule=both))
    apply(world, spec_with(closed_on([date(2026, 12, 31)])))

    assert {name for name, _ in saved(world)} == {"closed"}
    assert len(saved(world)) == 2


def test_no_fire_falls_on_a_day_that_is_skipped(world: World) -> None:
    closed = closed_for(world, 3)
    daily = qualified(Every(timedelta(days=1)), skip_on=[closed_on(sorted(closed.dates)[1:])])
    apply(world, spec_with(closed), make_spec("daily", schedule=daily))
    assert world.task("a").next_nominal_at.date() == max(closed.dates) + timedelta(days=1)

    world.let_come_due("daily")
    forget_schedules()
    world.make_pass()

    assert [row.task_config_id for row in world.events()] == [world.task("daily").id]
    assert world.task("daily").next_nominal_at.date() == max(closed.dates) + timedelta(days=1)
    assert world.task("daily").error_reason is None


def test_every_reader_of_specs_finds_the_calendar(world: World) -> None:
    closed = closed_on([date(2026, 12, 24)])
    apply(world, spec_with(closed))
    id_ = world.task("a").id

    with reading(world.database) as connection:
        for read in (
            lambda: task_configs.specs_of(connection, [id_])[id_],
            lambda: task_rows(connection)[0].spec,
            lambda: declared(connection, [id_])[0].spec,
        ):
            forget_schedules()
            assert read() == spec_with(closed)


def test_days_are_read_once_and_rows_without_calendars_ask_for_none(world: World) -> None:
    closed = closed_on([date(2026, 12, 24)])
    apply(world, spec_with(closed), spec_with(closed, "b"), make_spec("c"))
    asked: list[str] = []
    event.listen(world.database, "before_cursor_execute", lambda *given: asked.append(given[2]))

    with reading(world.database) as connection:
        ids = {row.name: row.id for row in connection.execute(select(task_config.c.name, task_config.c.id))}
        task_configs.specs_of(connection, [ids["c"]])
        before = sum("FROM calendar" in statement for statement in asked)
        task_configs.specs_of(connection, list(ids.values()))
        task_configs.specs_of(connection, list(ids.values()))

    assert before == 0
    assert sum("FROM calendar" in statement for statement in asked) == 1


@pytest.mark.parametrize(
    "spoil",
    [
        delete(calendar),
        update(calendar).values(document={"dates": ["2030-01-01"], "weekdays": []}),
        update(calendar).values(document={"dates": "soon"}),
    ],
    ids=["deleted", "other-days", "no-calendar"],
)
def test_a_row_whose_calendar_is_gone_is_quarantined_and_the_next_apply_heals_it(
    world: World, spoil: Any
) -> None:
    closed = closed_for(world, 3)
    apply(world, spec_with(closed), make_spec("sound"))
    world.let_come_due()
    with writing(world.database) as connection:
        connection.execute(spoil)
    forget_schedules()

    world.make_pass()

    assert [row.task_config_id for row in world.events()] == [world.task("sound").id]
    assert world.task("a").error_reason == f"the row cannot be read: {MISSING}"

    assert apply(world, spec_with(closed), make_spec("sound")).plan.unchanged == ("a",)
    world.change_task("a", error_retry_at=world.task("sound").created_at)
    world.make_pass()

    assert world.task("a").error_reason is None
