"""An operator's stop, on both databases: nothing fires, nothing is forgotten, and no apply undoes it."""

import random
import threading
from collections.abc import Collection
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest
from sqlalchemy import Engine, Row, select, update

from stored import World, opened
from taskcfg.spec.fires import missed_key, scheduled_key
from taskcfg.spec.pause import Pause
from taskcfg.spec.policy import CatchUp, Overlap, OverlapMode, Policy
from taskcfg.spec.schedule import Every, Manual, schedule_document
from taskcfg.spec.task import TaskSpec
from taskcfg.store import pauses, task_configs
from taskcfg.store.database import applying, database_time, reading, writing
from taskcfg.store.firing import materialise_due
from taskcfg.store.tables import schedule_event, task_pause
from taskcfg.store.task_list import task_rows
from taskcfg.testing import make_spec

MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
ALLOW = Policy(overlap=Overlap(OverlapMode.ALLOW))


def pause(world: World, *names: str, until: datetime | None = None, **said: Any) -> dict[int, Pause]:
    with writing(world.database) as connection:
        now, ids = database_time(connection), ids_of(connection, names)
        wanted = Pause(said.get("by", "ann"), said.get("reason", "INC-1"), now, until,
                       said.get("missed", CatchUp.NONE))  # fmt: skip
        return pauses.pause_tasks(connection, ids, wanted)


def ids_of(connection: Any, names: Collection[str]) -> list[int]:
    return [row.id for row in task_rows(connection, names=names)]


def resume(world: World, *names: str, missed: CatchUp | None = None) -> list[pauses.Resumed]:
    with writing(world.database) as connection:
        return pauses.resume_tasks(connection, ids_of(connection, names), missed)


def set_back(world: World, name: str, since: timedelta, **pause_values: Any) -> datetime:
    """Let the paused task have missed its fires since so long ago; return when that was."""
    with reading(world.database) as connection:
        start = database_time(connection) - since
    world.change_task(name, next_nominal_at=start, schedule=every(MINUTE, start), last_nominal_at=None)
    if pause_values:
        with writing(world.database) as connection:
            connection.execute(update(task_pause).values(**pause_values))
    return start


def every(interval: timedelta, anchor: datetime) -> dict[str, Any]:
    return schedule_document(Every(interval, anchor))


def told(events: Collection[Row[Any]]) -> list[tuple[str, str | None, int | None]]:
    return [(row.state, row.reason, row.span_count) for row in events]


def test_what_is_due_goes_out_first_and_then_nothing_fires(world: World) -> None:
    world.add(make_spec())
    due = world.let_come_due("nightly")

    pause(world, "nightly")

    assert [(row.nominal_at, row.state) for row in world.events()] == [(due, "pending")]
    assert world.task("nightly").next_fire_at is None
    assert world.make_pass() == []


@pytest.mark.parametrize(
    ("missed", "expected"),
    [
        (CatchUp.NONE, [("missed", "paused", 60)]),
        (CatchUp.LATEST, [("missed", "paused: only the latest is made up", 59), ("pending", None, None)]),
        (CatchUp.ALL, [("pending", None, None)] * 60),
    ],
)
def test_resuming_tells_of_every_fire_that_was_missed(
    world: World, missed: CatchUp, expected: list[Any]
) -> None:
    world.add(make_spec(policy=ALLOW))
    pause(world, "nightly")
    start = set_back(world, "nightly", HOUR - MINUTE / 2)

    (resumed,) = resume(world, "nightly", missed=missed)

    assert told(world.events()) == expected
    assert resumed.fires + resumed.missed == 60
    task = world.task("nightly")
    assert task.next_fire_at == task.next_nominal_at == start + HOUR
    assert task.last_nominal_at == start + HOUR - MINUTE


def test_what_was_said_when_pausing_holds_unless_the_resume_says_otherwise(world: World) -> None:
    world.add(make_spec("a"), make_spec("b"))
    pause(world, "a", "b", missed=CatchUp.LATEST)
    for name in ("a", "b"):
        set_back(world, name, HOUR)

    (a,) = resume(world, "a")
    (b,) = resume(world, "b", missed=CatchUp.NONE)

    assert (a.fires, b.fires) == (1, 0)


def test_a_second_pause_replaces_the_first_and_keeps_since(world: World) -> None:
    world.add(make_spec())
    pause(world, "nightly", reason="first")
    (first,) = pauses_now(world).values()

    replaced = pause(world, "nightly", by="bob", reason="second", missed=CatchUp.ALL)

    (second,) = pauses_now(world).values()
    assert list(replaced.values()) == [first]
    assert second == replace(first, by="bob", reason="second", missed=CatchUp.ALL)


def pauses_now(world: World) -> dict[int, Pause]:
    with reading(world.database) as connection:
        return pauses.pauses_of(connection, [row.id for row in world.tasks().values()])


def test_a_pause_ends_by_the_databases_clock_and_what_came_later_was_not_paused(world: World) -> None:
    world.add(make_spec(policy=ALLOW), make_spec("later"))
    pause(world, "nightly")
    pause(world, "later", until=datetime.now(UTC) + HOUR)
    start = set_back(world, "nightly", HOUR)
    with writing(world.database) as connection:
        row = task_pause.c.task_config_id == world_id(connection, "nightly")
        connection.execute(update(task_pause).where(row).values(until=start + 30 * MINUTE))

    (ended,) = pauses.end_pauses(world.database)
    again = pauses.end_pauses(world.database)

    assert (ended.task, ended.missed, again) == ("nightly", 30, [])
    assert world.task("nightly").next_fire_at == start + 30 * MINUTE
    assert world.task("later").next_fire_at is None
    world.make_pass()
    assert told(world.events())[0] == ("missed", "paused", 30)
    assert told(world.events())[1][:2] == ("missed", "missed: only the latest is made up")


def world_id(connection: Any, name: str) -> int:
    return ids_of(connection, [name])[0]


def test_a_pause_outlives_every_change_and_no_missed_fire_is_forgotten(world: World) -> None:
    ids = world.add(make_spec())
    pause(world, "nightly")
    start = set_back(world, "nightly", HOUR - MINUTE / 2)
    same = make_spec(schedule=Every(MINUTE, start))

    change(world, {ids["nightly"]: replace(same, description="other words")})
    unchanged = (world.task("nightly").next_nominal_at, world.events())
    change(world, {ids["nightly"]: replace(same, schedule=Every(HOUR))})

    assert unchanged == (start, [])
    assert told(world.events()) == [("missed", "paused", 60)]
    task = world.task("nightly")
    assert task.next_fire_at is None and task.next_nominal_at > start + HOUR - MINUTE
    assert len(pauses_now(world)) == 1


def test_a_pause_outlives_being_deleted_and_declared_again(world: World) -> None:
    ids = world.add(make_spec())
    pause(world, "nightly")
    set_back(world, "nightly", HOUR - MINUTE / 2)

    change(world, {ids["nightly"]: None})
    with applying(world.database, 5) as connection:
        task_configs.revive_tasks(connection, {ids["nightly"]: make_spec()}, "main", None)

    assert told(world.events()) == [("missed", "paused", 60)]
    assert world.task("nightly").next_fire_at is None
    assert len(pauses_now(world)) == 1


def change(world: World, specs: dict[int, TaskSpec | None]) -> None:
    """Do what an apply does with these updates and deletes."""
    with applying(world.database, 5) as connection:
        materialise_due(connection, list(specs))
        kept = pauses.settle_before_change(connection, specs)
        task_configs.retire_tasks(connection, [id_ for id_, spec in specs.items() if spec is None])
        updates = {id_: spec for id_, spec in specs.items() if spec is not None}
        task_configs.update_tasks(connection, updates, "main", None)
        pauses.keep_missed(connection, kept)


def test_tasks_that_would_not_fire_anyway_can_be_paused_and_resumed(world: World) -> None:
    world.add(make_spec("off", enabled=False), make_spec("by-hand", schedule=Manual()), make_spec("broken"))
    world.change_task("broken", schedule={"cron": "0 0 30 2 *"})
    pause(world, "off", "by-hand", "broken")

    resumed = resume(world, "off", "by-hand", "broken")

    assert [each.task for each in resumed] == ["broken", "by-hand", "off"]
    assert {name: row.next_fire_at for name, row in world.tasks().items()} == dict.fromkeys(
        ("off", "by-hand", "broken")
    )
    assert world.task("broken").error_reason is not None
    assert pauses_now(world) == {}


def test_two_operators_at_once_end_a_pause_once(database_url: str) -> None:
    with opened(database_url) as database:
        world = World(database)
        world.add(make_spec(policy=ALLOW))
        pause(world, "nightly")
        set_back(world, "nightly", HOUR - MINUTE / 2)
        ready = threading.Barrier(4)
        found: list[pauses.Resumed] = []

        def one() -> None:
            ready.wait()
            found.extend(resume(world, "nightly", missed=CatchUp.ALL))

        operators = [threading.Thread(target=one) for _ in range(4)]
        for each in operators:
            each.start()
        for each in operators:
            each.join()

        assert [each.fires for each in found] == [60]
        assert len(world.events()) == 60


def test_pauses_and_resumes_among_fires_leave_no_gap_and_no_double(database: Engine) -> None:
    chance = random.Random(7)
    world = World(database)
    world.add(make_spec(policy=ALLOW))
    now = world.let_come_due("nightly", late=HOUR)
    start = now
    world.change_task("nightly", schedule=every(MINUTE, start))

    for _ in range(6):
        pause(world, "nightly", missed=chance.choice(list(CatchUp)))
        back = chance.randrange(1, 40)
        row = world.task("nightly")
        # The past moves instead of the clock: all that was told of so far happened earlier.
        shift(world, back * MINUTE)
        assert row.next_fire_at is None
        resume(world, "nightly")
        world.make_pass()

    times: list[datetime] = []
    for row in world.events():
        times += [row.nominal_at + MINUTE * step for step in range(row.span_count or 1)]
    assert times == sorted(set(times))
    assert all(later - earlier == MINUTE for earlier, later in pairwise(times))


def shift(world: World, back: timedelta) -> None:
    """Move everything recorded *back* into the past, as if so much time had gone by."""
    task = world.task("nightly")
    anchor = datetime.fromisoformat(task.schedule["anchor"]) - back
    moved = {name: value - back for name in ("next_nominal_at", "last_nominal_at")
             if (value := getattr(task, name)) is not None}  # fmt: skip
    world.change_task("nightly", schedule=every(MINUTE, anchor), **moved)
    with writing(world.database) as connection:
        for row in connection.execute(select(schedule_event).order_by(schedule_event.c.nominal_at)).all():
            key = missed_key if row.state == "missed" else scheduled_key
            values = {"nominal_at": row.nominal_at - back, "dedupe_key": key(row.nominal_at - back)}
            chosen = update(schedule_event).where(schedule_event.c.id == row.id)
            connection.execute(chosen.values(**values))
