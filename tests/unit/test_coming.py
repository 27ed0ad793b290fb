"""The coming fires of many tasks, in one order."""

from datetime import UTC, datetime, timedelta

import pytest

from taskcfg.control.coming import coming_fires
from taskcfg.errors import TaskcfgError
from taskcfg.spec.fire_time import fire_time
from taskcfg.spec.pause import Pause
from taskcfg.spec.policy import Policy
from taskcfg.spec.schedule import At, Cron, Every, Manual
from taskcfg.testing import make_spec

START = datetime(2026, 10, 24, tzinfo=UTC)
HOUR = timedelta(hours=1)


def test_the_window_includes_its_start_and_not_its_end() -> None:
    coming = coming_fires([make_spec()], START, START + 3 * HOUR, None)

    assert [fire.nominal_at for fire in coming.fires] == [START, START + HOUR, START + 2 * HOUR]


def test_fires_stand_in_order_of_time_then_of_name() -> None:
    specs = [make_spec("b"), make_spec("a"), make_spec("c", schedule=Every(HOUR / 2))]

    fires = coming_fires(specs, START, START + HOUR, None).fires

    assert [(fire.task, fire.fire_at - START) for fire in fires] == [
        ("a", timedelta(0)),
        ("b", timedelta(0)),
        ("c", timedelta(0)),
        ("c", HOUR / 2),
    ]


def test_the_count_is_each_tasks_own() -> None:
    fires = coming_fires([make_spec("a"), make_spec("b")], START, None, 2).fires

    assert [fire.task for fire in fires] == ["a", "b", "a", "b"]


def test_tasks_that_only_run_when_asked_and_disabled_ones_have_no_fires() -> None:
    specs = [
        make_spec("a", schedule=Manual()),
        make_spec("b", enabled=False),
        make_spec("c", schedule=At((START,))),
    ]

    assert [fire.task for fire in coming_fires(specs, START, None, 5).fires] == ["c"]


def test_the_local_time_is_that_of_the_tasks_zone_on_each_side_of_a_clock_change() -> None:
    spec = make_spec(schedule=Cron("30 9 * * *"), timezone="Europe/London")

    document = coming_fires([spec], START, START + timedelta(days=2), None).document()

    assert document == {
        "from": "2026-10-24T00:00:00Z",
        "to": "2026-10-26T00:00:00Z",
        "fires": [
            {
                "task": "nightly",
                "nominal_at": "2026-10-24T08:30:00Z",
                "fire_at": "2026-10-24T08:30:00Z",
                "local": "2026-10-24T09:30:00+01:00",
                "note": None,
                "paused": False,
            },
            {
                "task": "nightly",
                "nominal_at": "2026-10-25T09:30:00Z",
                "fire_at": "2026-10-25T09:30:00Z",
                "local": "2026-10-25T09:30:00+00:00",
                "note": "clocks have gone back by 1h",
                "paused": False,
            },
        ],
        "paused": [],
    }


def test_a_window_with_too_many_fires_is_refused_not_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("taskcfg.control.coming.MOST", 100)
    specs = [make_spec("a", schedule=Every(timedelta(seconds=1))), make_spec("b")]

    with pytest.raises(TaskcfgError, match="more than 100 fires"):
        coming_fires(specs, START, START + HOUR, None)
    assert len(coming_fires(specs, START, START + HOUR, 60).fires) == 61


def test_jitter_decides_what_is_in_the_window() -> None:
    spec = make_spec(policy=Policy(jitter=HOUR / 2))

    fires = coming_fires([spec], START, START + 5 * HOUR, None).fires
    late = fires[0].fire_at + timedelta(seconds=1)

    assert all(timedelta(0) <= fire.fire_at - fire.nominal_at < HOUR / 2 for fire in fires)
    assert len({fire.fire_at - fire.nominal_at for fire in fires}) == 5
    assert coming_fires([spec], fires[0].fire_at, START + 5 * HOUR, None).fires == fires
    assert coming_fires([spec], late, START + 5 * HOUR, None).fires == fires[1:]
    assert coming_fires([spec], START, fires[-1].fire_at, None).fires == fires[:-1]


def test_what_a_pause_keeps_back_is_marked() -> None:
    until = Pause("oncall", "INC-1", START, START + 2 * HOUR)
    specs = [make_spec("a"), make_spec("b"), make_spec("c")]

    coming = coming_fires(specs, START, None, 3, {"a": until, "b": Pause("oncall", "INC-2", START)})

    marks = {name: [fire.paused for fire in coming.fires if fire.task == name] for name in "abc"}
    assert marks == {"a": [True, True, False], "b": [True] * 3, "c": [False] * 3}
    assert coming.document()["paused"] == [
        {"task": "a", "by": "oncall", "reason": "INC-1", "until": "2026-10-24T02:00:00Z"},
        {"task": "b", "by": "oncall", "reason": "INC-2", "until": None},
    ]


def test_a_time_that_was_taken_care_of_does_not_come_again_for_its_jitter() -> None:
    spec = make_spec(schedule=Cron("0 3 * * *"), policy=Policy(jitter=timedelta(minutes=50)))
    three = START.replace(hour=3)
    late = fire_time(spec.name, spec.policy.jitter, three) - timedelta(seconds=1)

    def nominals(begun: datetime | None) -> list[datetime]:
        known = {} if begun is None else {spec.name: begun}
        return [fire.nominal_at for fire in coming_fires([spec], late, None, 1, begun=known).fires]

    assert nominals(None) == nominals(three) == [three]
    assert nominals(three + timedelta(days=1)) == [three + timedelta(days=1)]
    far = coming_fires([spec], START, None, 1, begun={spec.name: three + timedelta(days=9)})
    assert [fire.nominal_at for fire in far.fires] == [three]
