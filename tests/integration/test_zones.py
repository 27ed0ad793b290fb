"""The time zone database changes: fire times follow it, and a zone that is gone stops its tasks alone."""

import logging
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from stored import World
from taskcfg.daemon.zones import Zones
from taskcfg.source.zone_data import zone_database
from taskcfg.spec.calendar import calendar_of
from taskcfg.spec.fire_time import coming_after
from taskcfg.spec.pause import Pause
from taskcfg.spec.policy import CatchUp, Policy
from taskcfg.spec.schedule import Cron, Every, qualified
from taskcfg.spec.times.zones import forget_zones
from taskcfg.store import pauses, rezoning
from taskcfg.store.calendars import forget_calendars
from taskcfg.store.database import writing
from taskcfg.store.firing import materialise_due
from taskcfg.store.spec_columns import forget_schedules
from taskcfg.testing import make_spec
from zone_folder import CITY, ZoneFolder, zones_from

HOUR = timedelta(hours=1)


@pytest.fixture
def city(tmp_path: Path) -> Iterator[ZoneFolder]:
    with zones_from(tmp_path / "zones") as folder:
        yield folder


def moved(log: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in log.records if record.name == "taskcfg.zones"]


def test_a_clock_that_changes_moves_the_tasks_that_follow_it_and_no_other(
    world: World, city: ZoneFolder, caplog: pytest.LogCaptureFixture
) -> None:
    there = make_spec("there", schedule=Cron("0 3 * * *"), timezone=CITY, policy=Policy(jitter=HOUR))
    world.add(there, make_spec("elsewhere", schedule=Cron("0 3 * * *"), timezone="UTC"))
    zones = Zones(world.database)
    zones.run_once()
    before = world.tasks()

    city.let_city_keep("America/New_York")
    zones.run_once()
    zones.run_once()

    after = world.tasks()
    coming = coming_after(replace(there, timezone="America/New_York"), datetime.now(UTC))
    assert coming is not None
    assert (after["there"].next_nominal_at, after["there"].next_fire_at) == coming
    assert coming.nominal_at != before["there"].next_nominal_at
    assert after["there"].version == before["there"].version
    assert after["elsewhere"] == before["elsewhere"]
    (line,) = moved(caplog)
    assert line.startswith("tz_database.changed from=files-") and line.endswith(" moved=1 gone=0")


def test_what_is_due_or_held_back_by_jitter_stays_as_it_is(world: World, city: ZoneFolder) -> None:
    now = datetime.now(UTC).replace(microsecond=0)
    world.add(*(make_spec(name, schedule=Every(HOUR), timezone=CITY) for name in ("due", "held back")))
    world.change_task("due", next_nominal_at=now - HOUR, next_fire_at=now - HOUR)
    world.change_task("held back", next_nominal_at=now - HOUR, next_fire_at=now + HOUR)
    before = world.tasks()

    assert rezoning.recompute_times(world.database) == rezoning.Rezoned(0, 0)

    assert world.tasks() == before


def test_a_process_that_has_seen_no_calendar_yet_works_out_the_tasks_that_name_one(
    world: World, city: ZoneFolder
) -> None:
    closed = calendar_of("closed", [], weekdays=0b1)
    world.add(make_spec(schedule=qualified(Cron("0 3 * * *"), skip_on=[closed]), timezone=CITY))
    city.let_city_keep("Asia/Tokyo")
    forget_zones()
    forget_calendars()
    forget_schedules()

    assert rezoning.recompute_times(world.database) == rezoning.Rezoned(1, 0)


def test_all_rows_are_worked_out_however_small_the_batch(world: World, city: ZoneFolder) -> None:
    world.add(*(make_spec(f"t{n}", schedule=Cron("0 3 * * *"), timezone=CITY) for n in range(7)))
    zones = Zones(world.database)
    zones.run_once()
    city.let_city_keep("Asia/Tokyo")
    forget_zones()

    assert rezoning.recompute_times(world.database, batch=3) == rezoning.Rezoned(7, 0)
    assert rezoning.recompute_times(world.database, batch=3) == rezoning.Rezoned(0, 0)


def test_a_zone_that_is_gone_quarantines_its_tasks_and_one_that_is_back_heals_them_at_once(
    world: World, city: ZoneFolder
) -> None:
    world.add(make_spec("there", schedule=Cron("* * * * *"), timezone=CITY), make_spec("elsewhere"))
    zones = Zones(world.database)
    zones.run_once()

    city.take_city_away()
    zones.run_once()
    gone = world.task("there")
    fired = world.let_fire()
    missed_since = datetime.now(UTC).replace(second=0, microsecond=0) - 10 * timedelta(minutes=1)
    world.change_task("there", next_nominal_at=missed_since)
    city.let_city_keep("Europe/Berlin")
    zones.run_once()
    healed = world.make_pass()

    assert gone.error_reason == f"`{CITY}` is not a time zone"
    assert (gone.next_fire_at, gone.error_count) == (None, 1)
    assert [fire.task for fire in fired] == ["elsewhere"]
    assert [fire.task for fire in healed] == ["there"]
    row = world.task("there")
    assert (row.error_reason, row.error_retry_at) == (None, None)
    states = [each.state for each in world.events() if each.task_config_id == row.id]
    assert states[:2] == ["missed", "pending"]


def test_a_zone_that_is_found_gone_only_when_a_fire_is_due_is_tried_again_later(
    world: World, city: ZoneFolder
) -> None:
    world.add(make_spec("there", schedule=Cron("* * * * *"), timezone=CITY))
    city.take_city_away()
    forget_zones()

    assert world.let_fire(late=timedelta(minutes=10)) == []

    row = world.task("there")
    assert row.error_reason == f"`{CITY}` is not a time zone"
    assert timedelta(seconds=50) < row.error_retry_at - datetime.now(UTC) < timedelta(seconds=70)
    city.let_city_keep("Europe/Berlin")
    world.change_task("there", error_retry_at=datetime.now(UTC) - timedelta(seconds=1))
    assert len(world.make_pass()) == 1


def test_of_two_nodes_only_the_newer_recomputes_and_the_older_says_so_once(
    world: World, city: ZoneFolder, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    older, newer = Zones(world.database, lambda: "2025a"), Zones(world.database, lambda: "2025b")

    for _ in range(3):
        older.run_once()
        newer.run_once()

    assert rezoning.known_zone_database(world.database) == "2025b"
    assert moved(caplog) == [
        "tz_database.changed from=2025a to=2025b moved=0 gone=0",
        "tz_database.older here=2025a newest=2025b: update tzdata on this machine",
    ]


def test_two_nodes_whose_databases_have_no_order_recompute_once_each(
    world: World, city: ZoneFolder, caplog: pytest.LogCaptureFixture
) -> None:
    one, other = Zones(world.database, lambda: "files-1"), Zones(world.database, lambda: "files-2")

    for _ in range(4):
        one.run_once()
        other.run_once()

    assert moved(caplog) == ["tz_database.changed from=files-1 to=files-2 moved=0 gone=0"]


def test_a_database_that_cannot_be_read_is_not_taken_for_another(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    def unreadable() -> str | None:
        raise PermissionError("Permission denied")

    Zones(world.database).run_once()
    known = rezoning.known_zone_database(world.database)
    Zones(world.database, unreadable).run_once()

    assert known == rezoning.known_zone_database(world.database) == zone_database()
    assert moved(caplog) == ["tz_database.unreadable reason='Permission denied'"]


def seconds_ago(world: World, zone: str, *names: str, jitter: timedelta = timedelta(0)) -> datetime:
    """Add tasks that fire daily at the wall time that *zone* showed some seconds ago; return when."""
    nominal = datetime.now(UTC).replace(microsecond=0) - timedelta(seconds=5)
    wall = nominal.astimezone(ZoneInfo(zone))
    schedule = Cron(f"{wall.second} {wall.minute} {wall.hour} * * *")
    policy = Policy(jitter=jitter)
    world.add(*(make_spec(name, schedule=schedule, timezone=CITY, policy=policy) for name in names))
    for name in names:
        world.change_task(name, next_nominal_at=nominal, next_fire_at=nominal)
    return nominal


def test_what_has_passed_goes_by_the_clock_that_it_was_worked_out_with(
    world: World, city: ZoneFolder
) -> None:
    nominal = seconds_ago(world, "Europe/Berlin", "due", "held back", "paused", jitter=HOUR)
    world.change_task("held back", next_fire_at=nominal + HOUR)
    with writing(world.database) as connection:
        pause = Pause("ann", "why", nominal - HOUR, missed=CatchUp.ALL)
        pauses.pause_tasks(connection, [world.task("paused").id], pause)
    zones = Zones(world.database)
    zones.run_once()

    city.let_city_keep("Asia/Tokyo")
    zones.run_once()

    names = {row.id: row.name for row in world.tasks().values()}
    told = {names[event.task_config_id]: (event.nominal_at, event.state) for event in world.events()}
    assert told == {
        "due": (nominal, "pending"),
        "held back": (nominal, "pending"),
        "paused": (nominal, "missed"),
    }
    assert all(row.next_nominal_at > nominal for row in world.tasks().values())


def test_after_a_start_under_other_clocks_the_time_a_task_was_promised_still_counts(
    world: World, city: ZoneFolder
) -> None:
    nominal = seconds_ago(world, "Europe/Berlin", "promised", "changed by hand")
    world.change_task("changed by hand", timezone="Asia/Tokyo")
    city.let_city_keep("Asia/Tokyo")
    forget_zones()

    with writing(world.database) as connection:
        materialise_due(connection, [row.id for row in world.tasks().values()])

    (event,) = world.events()
    assert (event.task_config_id, event.nominal_at) == (world.task("promised").id, nominal)
    assert world.task("promised").next_nominal_at > nominal
