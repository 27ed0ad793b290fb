"""What a plan says of fires: exact, for whatever schedules."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from taskcfg.reconcile.fire_lines import fire_lines, fires_document
from taskcfg.reconcile.outlook import HORIZON, FiresChange, outlooks
from taskcfg.reconcile.plan import build_plan
from taskcfg.reconcile.state import LiveTask
from taskcfg.spec.pause import Pause
from taskcfg.spec.policy import Policy
from taskcfg.spec.schedule import At, Cron, Every, Manual, Schedule
from taskcfg.spec.task import TaskSpec
from taskcfg.spec.times.timetable import timetable
from taskcfg.testing import make_spec

NOW = datetime(2026, 10, 22, 17, 30, tzinfo=UTC)
DAY = timedelta(days=1)


def spec(schedule: Schedule, **fields: object) -> TaskSpec:
    return make_spec("a", schedule=schedule, timezone="Europe/London", **fields)


def change(
    before: TaskSpec | None,
    after: TaskSpec | None,
    *,
    now: datetime = NOW,
    horizon: timedelta = HORIZON,
    pause: Pause | None = None,
) -> FiresChange:
    live = {} if before is None else {"a": LiveTask(1, "a", before.digest, 1, 1, spec=before)}
    plan = build_plan("main", {} if after is None else {"a": after}, live)
    return outlooks(replace(plan, paused={"a": pause} if pause else {}), now, horizon)[
        type(plan.changes[0]), "a"
    ]


def lines(found: FiresChange, now: datetime = NOW) -> list[str]:
    return list(fire_lines(found, "Europe/London", now))


def test_a_moved_time_shows_both_and_what_is_gained_and_lost() -> None:
    found = change(spec(Cron("0 2 * * *")), spec(Cron("30 1 * * *")))

    assert lines(found) == [
        "fires: at 02:00 every day, Europe/London -> at 01:30 every day, Europe/London;"
        " next Fri 23 Oct 01:30 BST, in 7h; 7 more, 7 fewer in the next 7d",
        "! Sun 25 Oct: 01:30 comes twice; fires once, the first",
    ]
    assert fires_document(found) == {
        "before": {
            "schedule": "at 02:00 every day, Europe/London",
            "next_nominal_at": "2026-10-23T01:00:00Z",
            "next_fire_at": "2026-10-23T01:00:00Z",
            "count": 7,
        },
        "after": {
            "schedule": "at 01:30 every day, Europe/London",
            "next_nominal_at": "2026-10-23T00:30:00Z",
            "next_fire_at": "2026-10-23T00:30:00Z",
            "count": 7,
        },
        "added": 7,
        "removed": 7,
        "horizon": 604_800,
        "clock_changes": [
            {
                "at": "2026-10-25T01:00:00Z",
                "words": "Sun 25 Oct 2026, clocks go back from 02:00 to 01:00",
                "effects": ["01:30 comes twice; fires once, the first"],
            }
        ],
    }


def test_a_new_task_shows_what_it_will_fire() -> None:
    assert lines(change(None, spec(Every(6 * timedelta(hours=1))))) == [
        "fires: every 6h, counted from 1970-01-01T00:00:00Z;"
        " next Thu 22 Oct 19:00 BST, in 30m; 28 in the next 7d"
    ]
    assert lines(change(None, spec(Manual()))) == [
        "fires: only when it is run; none to come; 0 in the next 7d"
    ]


def test_a_deleted_task_shows_what_is_lost() -> None:
    found = change(spec(Cron("31 18 * * *")), None)

    assert lines(found) == [
        "fires no more: at 18:31 every day, Europe/London;"
        " next would have been Thu 22 Oct 18:31 BST, in 1m; 7 fewer in the next 7d",
        "! due in 1m: will not fire, unless it is due when this is applied",
    ]


def test_a_change_that_moves_no_fire_says_only_what_becomes_of_the_next() -> None:
    before = spec(Cron("31 18 * * *"))
    found = change(before, replace(before, queue="slow"))

    assert lines(found) == ["due in 1m: kept"]
    assert (found.added, found.removed) == (0, 0)


def test_what_fires_all_the_time_needs_no_word_about_the_next() -> None:
    before = spec(Cron("* * * * *"))

    assert lines(change(before, replace(before, queue="slow"))) == []


def test_jitter_alone_moves_no_nominal_time() -> None:
    before = spec(Cron("0 2 * * *"))
    found = change(before, replace(before, policy=Policy(jitter=timedelta(hours=1))))

    assert (found.added, found.removed, lines(found)) == (0, 0, [])
    assert found.after is not None and found.after.coming is not None
    assert found.after.coming.fire_at > found.after.coming.nominal_at


def test_a_disabled_task_fires_nothing() -> None:
    before = spec(Cron("0 2 * * *"))
    found = change(before, replace(before, enabled=False))

    assert (found.added, found.removed) == (0, 7)
    assert found.after is not None and found.after.coming is None


@pytest.mark.parametrize(("until", "fires"), [(None, 0), (NOW + 3 * DAY, 4)])
def test_a_paused_task_fires_nothing_before_its_pause_ends(until: datetime | None, fires: int) -> None:
    pause = Pause("oncall", "INC-1", NOW - DAY, until)

    found = change(spec(Cron("0 3 * * *")), spec(Cron("0 2 * * *")), pause=pause)

    assert found.after is not None
    assert (found.after.fires, found.added, found.removed) == (fires, fires, fires)
    assert lines(found)[0].startswith(
        "fires: at 03:00 every day, Europe/London -> at 02:00 every day, Europe/London; "
    )


def test_a_schedule_that_differs_beyond_the_horizon_is_told() -> None:
    found = change(spec(Cron("0 2 1 3 *")), spec(Cron("0 2 1 2 *")))

    assert (found.added, found.removed) == (0, 0)
    assert "next Mon 1 Feb 2027 02:00 GMT" in lines(found)[0]


def test_a_row_that_cannot_be_read_has_no_past() -> None:
    live = {"a": LiveTask(1, "a", "?", 1, 1)}
    wanted = spec(Cron("0 2 * * *"))

    (found,) = outlooks(build_plan("main", {"a": wanted}, live), NOW).values()

    assert found.before is None
    assert found.added == 7


SCHEDULES = st.one_of(
    st.sampled_from(
        ["0 2 * * *", "30 1 * * *", "*/7 3-5 * * 1-5", "0 0 1 * *", "59 23 * * *", "0 * * * *"]
    ).map(Cron),
    st.integers(60, 100_000).map(lambda seconds: Every(timedelta(seconds=seconds))),
    st.lists(st.integers(0, 10**6), min_size=1, max_size=4, unique=True).map(
        lambda seconds: At(tuple(sorted(NOW + timedelta(seconds=each) for each in seconds)))
    ),
    st.just(Manual()),
)


@given(before=SCHEDULES, after=SCHEDULES, hours=st.integers(1, 24 * 30))
def test_gained_and_lost_are_what_only_one_of_the_two_schedules_gives(
    before: Schedule, after: Schedule, hours: int
) -> None:
    found = change(spec(before), spec(after, queue="other"), horizon=timedelta(hours=hours))

    def times(schedule: Schedule) -> set[datetime]:
        table = timetable(schedule, "Europe/London")
        return {each.at for each in table.between(NOW, NOW + found.horizon, 10**6)}

    assert found.horizon <= timedelta(hours=hours)
    assert found.added == len(times(after) - times(before))
    assert found.removed == len(times(before) - times(after))
    assert found.after is not None and found.after.fires == len(times(after))
    assert found.before is not None
    assert found.after.fires - found.before.fires == found.added - found.removed


def test_times_too_many_to_compare_are_compared_less_far() -> None:
    found = change(spec(Every(timedelta(seconds=1))), spec(Every(timedelta(seconds=2))))

    assert timedelta(hours=6) < found.horizon < HORIZON
    assert found.removed == found.horizon // timedelta(seconds=2)
    assert found.added == 0
