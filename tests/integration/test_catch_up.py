"""After an outage: made up for as the policy says, in bounded steps, while the others fire on time."""

from datetime import UTC, datetime, timedelta

import pytest

from stored import World
from taskcfg.spec.due import MOST_AT_ONCE
from taskcfg.spec.policy import CatchUp, Overlap, OverlapMode, Policy
from taskcfg.spec.schedule import Cron, Every, Schedule
from taskcfg.testing import make_spec

SECOND, MINUTE, HOUR, DAY = (timedelta(**{unit: 1}) for unit in ("seconds", "minutes", "hours", "days"))
ALLOW = Overlap(OverlapMode.ALLOW)
EACH_SECOND = [Every(SECOND), Cron("* * * * * *")]


def stop_for(world: World, name: str, outage: timedelta) -> datetime:
    """Let nothing have fired since so long ago; return when the first fire was missed."""
    start = (datetime.now(UTC) - outage).replace(microsecond=0)
    world.change_task(name, next_nominal_at=start, next_fire_at=start)
    return start


@pytest.mark.parametrize("schedule", EACH_SECOND, ids=["every", "cron"])
@pytest.mark.parametrize("catch_up", [CatchUp.NONE, CatchUp.LATEST])
def test_thirty_days_of_seconds_are_one_missed_event_with_their_count_in_one_pass(
    world: World, schedule: Schedule, catch_up: CatchUp
) -> None:
    world.add(make_spec("a", schedule=schedule, policy=Policy(overlap=ALLOW, catch_up=catch_up)))
    start = stop_for(world, "a", 30 * DAY)

    world.make_pass()

    (missed,) = [row for row in world.events() if row.state == "missed"]
    assert missed.nominal_at == start
    assert missed.span_count == (missed.span_end - start) // SECOND + 1
    assert 30 * DAY - MINUTE < missed.span_end - start < 30 * DAY
    fires = [row.nominal_at for row in world.events() if row.state == "pending"]
    assert fires == [missed.span_end + SECOND * n for n in range(1, len(fires) + 1)]
    assert len(fires) <= 35
    assert world.task("a").next_fire_at == fires[-1] + SECOND


@pytest.mark.parametrize("schedule", EACH_SECOND, ids=["every", "cron"])
def test_all_within_the_window_fire_in_passes_that_follow_at_once(world: World, schedule: Schedule) -> None:
    policy = Policy(overlap=ALLOW, catch_up=CatchUp.ALL, catch_up_window=5 * MINUTE)
    world.add(make_spec("a", schedule=schedule, policy=policy))
    start = stop_for(world, "a", 30 * DAY)

    first = world.make_pass()
    wait = world.firing.seconds_until_due()
    passes = 1
    while world.make_pass():
        passes += 1
        assert passes < 9

    assert (len(first), wait) == (MOST_AT_ONCE, 0)
    (missed,) = [row for row in world.events() if row.state == "missed"]
    fires = [row.nominal_at for row in world.events() if row.state == "pending"]
    assert (missed.nominal_at, missed.reason) == (start, "missed: outside catch_up_window")
    assert missed.span_count == (missed.span_end - start) // SECOND + 1
    assert fires == [missed.span_end + SECOND * n for n in range(1, len(fires) + 1)]
    assert 300 <= len(fires) <= 330


def test_those_that_are_on_time_fire_while_others_make_up_for_an_outage(world: World) -> None:
    policy = Policy(overlap=ALLOW, catch_up=CatchUp.ALL)
    world.add(*(make_spec(f"late{n}", schedule=Every(SECOND), policy=policy) for n in range(3)))
    world.add(make_spec("on time", schedule=Every(HOUR)))
    for number in range(3):
        stop_for(world, f"late{number}", HOUR)
    world.let_come_due("on time")

    fires = world.make_pass(limit=2)

    assert [fire.task for fire in fires].count("on time") == 1
    assert len(fires) == 2 * MOST_AT_ONCE + 1
