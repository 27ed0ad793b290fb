"""How many fires come when: exact, whichever way they are counted."""

from collections import Counter
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from taskcfg.control.coming import coming_fires
from taskcfg.control.heatmap import Heatmap, heatmap
from taskcfg.errors import TaskcfgError
from taskcfg.spec.policy import Policy
from taskcfg.spec.schedule import At, Cron, Every, Manual, Schedule, qualified, union
from taskcfg.spec.task import TaskSpec
from taskcfg.testing import make_spec

BERLIN = ZoneInfo("Europe/Berlin")
MONDAY = datetime(2026, 10, 19, tzinfo=UTC)
WEEK = timedelta(days=7)
SECOND = timedelta(seconds=1)


def task(name: str, schedule: Schedule, **fields: object) -> TaskSpec:
    return make_spec(name, schedule=schedule, **fields)


def week(*specs: TaskSpec, zone: ZoneInfo = BERLIN) -> Heatmap:
    return heatmap(specs, MONDAY, MONDAY + WEEK, zone)


@pytest.mark.parametrize(
    "schedule",
    [
        Cron("30 2 * * *"),
        Cron("*/7 * * * *"),
        Cron("* * * * *"),
        Cron("*/20 * * * * *"),
        Every(timedelta(minutes=7)),
        Every(45 * SECOND, datetime(2026, 10, 20, 0, 0, 13, tzinfo=UTC)),
        At((MONDAY, MONDAY + timedelta(hours=5), MONDAY + WEEK)),
        union([Cron("*/10 * * * *"), Every(timedelta(minutes=15))]),
        qualified(Cron("* * * * *"), start=MONDAY + timedelta(hours=3, seconds=30), end=MONDAY + WEEK / 2),
        Manual(),
    ],
)
@pytest.mark.parametrize("jitter", [timedelta(0), timedelta(seconds=15)])
@pytest.mark.parametrize("late", [timedelta(0), timedelta(seconds=17.5)])
def test_every_fire_is_counted_in_its_minute(schedule: Schedule, jitter: timedelta, late: timedelta) -> None:
    specs = [
        task(name, schedule, timezone="Europe/Berlin", queue=queue, policy=Policy(jitter=jitter))
        for name, queue in (("a", None), ("b", "slow"), ("c", "slow"))
    ]
    start, end = MONDAY + late, MONDAY + WEEK - late

    found = heatmap(specs, start, end, BERLIN)

    fires = coming_fires(specs, start, end, None).fires
    minutes = Counter(int(fire.fire_at.timestamp() // 60) for fire in fires)
    hours = Counter(
        (fire.fire_at.astimezone(BERLIN).weekday(), fire.fire_at.astimezone(BERLIN).hour) for fire in fires
    )
    assert found.fires == len(fires)
    assert found.minutes == minutes
    assert {
        (day, hour): number
        for day, row in enumerate(found.hours(found.minutes))
        for hour, number in enumerate(row)
        if number
    } == hours
    assert {queue: each.total() for queue, each in found.queues.items() if each} == Counter(
        "slow" if fire.task != "a" else None for fire in fires
    )


def test_tasks_of_a_second_are_counted_and_not_walked_through() -> None:
    found = week(*(task(f"t{number}", Every(SECOND)) for number in range(1000)))

    assert found.fires == 1000 * 7 * 86_400
    assert set(found.minutes.values()) == {60_000}


def test_an_hour_that_comes_twice_has_the_fires_of_both_and_one_that_is_skipped_has_none() -> None:
    back = week(task("a", Every(timedelta(minutes=30))))
    forward = heatmap([task("a", Every(timedelta(minutes=30)))], *march(), BERLIN)

    assert back.hours(back.minutes)[6][1:4] == [2, 4, 2]
    assert forward.hours(forward.minutes)[6][1:4] == [2, 0, 2]


def march() -> tuple[datetime, datetime]:
    return datetime(2026, 3, 23, tzinfo=UTC), datetime(2026, 3, 30, tzinfo=UTC)


def test_a_pile_up_at_minute_0_is_seen_with_the_queues_it_meets() -> None:
    found = week(
        *(task(f"hourly-{number}", Cron("0 * * * *"), queue="slow") for number in range(5)),
        task("nightly", Cron("0 2 * * *"), queue="bills"),
        task("early", Cron("0 2 * * *")),
        task("off", Cron("0 2 * * *"), enabled=False),
    )

    (first, *_) = found.busiest(found.minutes)
    assert (first.at, first.fires) == (MONDAY + timedelta(hours=2), 7)
    assert first.queues == (("slow", 5), (None, 1), ("bills", 1))
    assert len(found.busiest(found.minutes)) == 10
    assert found.minutes_of_the_hour() == [5 * 168 + 14, *[0] * 59]
    assert [(queue, minutes.total()) for queue, minutes in found.ranked_queues()] == [
        ("slow", 840), (None, 7), ("bills", 7),
    ]  # fmt: skip


def test_minutes_are_those_of_a_zone_of_half_an_hour_too() -> None:
    found = week(task("a", Cron("0 2 * * *")), zone=ZoneInfo("Asia/Kolkata"))

    assert found.minutes_of_the_hour()[30] == 7
    assert [row[7] for row in found.hours(found.minutes)] == [1] * 7


def test_what_would_take_too_long_is_refused_and_never_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("taskcfg.control.heatmap.MOST_STEPS", 10_080)
    spread = Policy(jitter=SECOND)

    assert week(task("a", Every(SECOND))).fires == 604_800
    with pytest.raises(TaskcfgError, match="too many fires to count: more than 10,080 one by one"):
        week(task("a", Every(SECOND), policy=spread))
    with pytest.raises(TaskcfgError, match="too many fires"):
        week(task("a", Every(SECOND)), task("b", Cron("0 * * * *")))
    with pytest.raises(TaskcfgError, match="too many fires"):
        week(task("a", union([Every(SECOND), Every(SECOND * 7, MONDAY)])))


def test_the_document_of_a_week() -> None:
    document = week(task("a", Cron("0 2 * * MON")), task("b", Cron("0 2 * * *"), queue="slow")).document()

    rest = [0] * 21
    monday = [0, 0, 0, 0, 2, *[0] * 19]
    assert document["weekdays"]["monday"] == monday
    assert document["weekdays"]["tuesday"] == [0, 0, 0, 0, 1, *[0] * 19]
    assert document["weekdays"]["sunday"] == [0, 0, 0, 1, *rest[1:]]
    assert document["busiest"][0] == {
        "at": "2026-10-19T02:00:00Z",
        "local": "2026-10-19T04:00:00+02:00",
        "fires": 2,
        "queues": [{"queue": None, "fires": 1}, {"queue": "slow", "fires": 1}],
    }
    assert [(each["queue"], each["fires"], len(each["busiest"])) for each in document["queues"]] == [
        ("slow", 7, 7), (None, 1, 1),
    ]  # fmt: skip
    assert (document["tasks"], document["fires"], document["timezone"]) == (2, 8, "Europe/Berlin")
    assert document["minutes_of_the_hour"] == [8, *[0] * 59]
