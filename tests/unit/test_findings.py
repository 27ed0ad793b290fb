"""The checks of doctor that no installation can be made to fail on purpose."""

from datetime import UTC, datetime, timedelta, timezone, tzinfo
from pathlib import Path
from uuid import uuid4
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import pytest

from taskcfg.control.doctor import clock_agrees, clocks_compared, secrets_used, workers_alive, zones_agree
from taskcfg.control.findings import Level, zone_data
from taskcfg.store.database import open_database
from taskcfg.store.nodes import NodeRow
from taskcfg.testing import FakeClock, make_spec

NOW = datetime(2026, 3, 29, tzinfo=UTC)


def worker(*queues: str, alive: bool = True) -> NodeRow:
    return NodeRow(uuid4(), "worker", "celery@a", "a", 1, "0.1.0", queues or None, NOW, NOW, alive)


def test_zones_that_are_there_and_right_are_fine() -> None:
    assert zone_data().level is Level.OK


def test_no_zones_at_all_is_a_failure() -> None:
    def missing(name: str) -> tzinfo:
        raise ZoneInfoNotFoundError(f"No time zone found with key {name}")

    found = zone_data(missing)

    assert (found.level, found.ok) == (Level.FAIL, False)
    assert "tzdata" in (found.hint or "")


def test_zones_that_are_wrong_are_a_failure_and_old_ones_a_warning() -> None:
    def outdated(name: str) -> tzinfo:
        return timezone(timedelta(hours=6)) if name == "Asia/Almaty" else ZoneInfo(name)

    assert zone_data(lambda name: UTC).level is Level.FAIL
    assert zone_data(outdated).level is Level.WARN


@pytest.mark.parametrize(
    ("seconds", "level"),
    [(0.1, "ok"), (-1.9, "ok"), (3, "warn"), (-59, "warn"), (61, "fail"), (-3600, "fail")],
)
def test_clocks_that_differ_are_a_warning_and_far_apart_a_failure(seconds: float, level: str) -> None:
    found = clocks_compared(NOW + timedelta(seconds=seconds), NOW)

    assert found.level == level
    assert f"{abs(seconds):.1f} s {'ahead of' if seconds > 0 else 'behind'} the database" in found.reason


def test_a_machine_whose_clock_is_wrong_is_found_out_by_the_database(tmp_path: Path) -> None:
    database = open_database(f"sqlite:///{tmp_path}/taskcfg.db", role="test")

    found = clock_agrees(database, FakeClock(datetime(2001, 1, 1, tzinfo=UTC)))
    database.dispose()

    assert found.level is Level.FAIL


def test_a_queue_that_nobody_serves_is_named_with_a_task_that_goes_there() -> None:
    found = workers_alive([worker("celery")], {"celery": ["a"], "slow": ["billing", "b"]})

    assert found.level is Level.FAIL
    assert found.reason == "nobody serves `slow`, where `billing` goes"
    assert found.hint == "start `taskcfg worker --queues slow`"


def test_queues_are_served_by_those_alive_together() -> None:
    tasks = {"celery": ["a"], "slow": ["b"]}

    assert workers_alive([worker("celery"), worker("slow")], tasks).level is Level.OK
    assert workers_alive([worker()], tasks).level is Level.OK
    assert workers_alive([worker("celery"), worker("slow", alive=False)], tasks).level is Level.FAIL
    assert workers_alive([worker("slow", alive=False)], {}).level is Level.WARN


def test_the_secrets_that_live_tasks_need_are_named() -> None:
    params = [{"a": "${secret:TOKEN}"}, {"b": ["$${secret:LITERAL}"]}, {"c": {"d": "x ${secret:KEY}"}}]

    [found] = secrets_used(make_spec(params=each) for each in params)

    assert (found.check, found.level, found.reason) == ("secrets", "ok", "workers need 2 secrets: KEY, TOKEN")
    assert list(secrets_used([make_spec()])) == []


def test_a_machine_with_older_time_zones_than_the_fire_times_is_warned_of() -> None:
    (older,) = zones_agree("2025a", "2025b")
    (other,) = zones_agree("files-12", "2025b")

    assert (older.level, other.level) == (Level.WARN, Level.WARN)
    assert older.reason == "this machine's are 2025a, and fire times come from 2025b"
    assert [*zones_agree("2025b", "2025b"), *zones_agree("2025c", "2025b"), *zones_agree("2025b", None)] == []
