"""What a due task records: every nominal time exactly once, as a fire or in the missed span."""

from datetime import UTC, datetime, timedelta
from itertools import count

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nominals import after, between
from taskcfg.spec import due
from taskcfg.spec.due import MISSED_AFTER, Decision, Rules, decide
from taskcfg.spec.fire_time import fire_time
from taskcfg.spec.overlap import Live
from taskcfg.spec.policy import CatchUp, Overlap, OverlapMode, Policy
from taskcfg.spec.schedule import At, Cron, Every, Schedule, union
from taskcfg.spec.times.timetable import Timetable, timetable

NOON = datetime(2026, 3, 29, 12, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)

nows = st.timedeltas(timedelta(days=-2), timedelta(days=1)).map(lambda offset: NOON + offset)
schedules = st.one_of(
    st.builds(Every, st.timedeltas(timedelta(seconds=1), timedelta(hours=30))),
    st.sampled_from([Cron("* * * * *"), Cron("*/20 * * * *"), Cron("30 2 * * *"), Cron("30 1 * * *")]),
)
policies = st.builds(
    Policy,
    jitter=st.sampled_from([timedelta(0), timedelta(milliseconds=900)]),
    catch_up=st.sampled_from(CatchUp),
    catch_up_window=st.timedeltas(timedelta(0), timedelta(days=2)),
    overlap=st.sampled_from([*map(Overlap, OverlapMode), Overlap(OverlapMode.ALLOW, 3)]),
)


def every(minutes: float) -> Timetable:
    return timetable(Every(timedelta(minutes=minutes)), "UTC")


def covered(decision: Decision, table: Timetable) -> list[datetime]:
    """Return every nominal time that *decision* speaks of, in order."""
    times = [fire.nominal_at for fire in decision.fires]
    if decision.missed:
        span = between(table, decision.missed.first, decision.missed.last + MICROSECOND, 1_000_000)
        assert len(span) == decision.missed.count
        assert (span[0], span[-1]) == (decision.missed.first, decision.missed.last)
        times += span
    return sorted(times)


@given(schedules, policies, nows, st.timedeltas(timedelta(0), timedelta(hours=5)), st.integers(0, 3))
def test_every_nominal_time_until_now_is_covered_exactly_once(
    schedule: Schedule, policy: Policy, now: datetime, outage: timedelta, live: int
) -> None:
    table = timetable(schedule, "Europe/Berlin")
    start = after(table, now - outage)
    if start is None:
        return

    told: list[datetime] = []
    following: datetime | None = start
    while following is not None and fire_time("task", policy.jitter, following) <= now:
        decision = decide(Rules("task", policy, table, Live(live)), next_nominal_at=following, now=now)
        assert decision is not None
        assert fire_time("task", policy.jitter, decision.last_nominal_at) <= now
        assert decision.next_nominal_at == after(table, decision.last_nominal_at)
        told += covered(decision, table)
        following = decision.next_nominal_at

    nominals = between(table, start, now + MICROSECOND, 1_000_000)
    assert told == [each for each in nominals if fire_time("task", policy.jitter, each) <= now]


@given(policies, nows, st.integers(1, 40), st.integers(1, 500))
def test_a_long_outage_is_settled_in_bounded_steps_that_cover_it_exactly_once(
    policy: Policy, now: datetime, limit: int, minutes: int
) -> None:
    # Each minute, counted one by one as every list of schedules.
    table = timetable(union([Cron("0-29 * * * *"), Cron("30-59 * * * *")]), "UTC")
    start = after(table, now - timedelta(minutes=minutes))
    assert start is not None
    first = start
    found: list[datetime] = []

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(due, "SPAN_LIMIT", limit)
        patch.setattr(due, "MOST_AT_ONCE", limit)
        for passes in count():
            if start is None or fire_time("task", policy.jitter, start) > now:
                break
            assert passes <= minutes / limit + 4
            decision = decide(Rules("task", policy, table, Live()), next_nominal_at=start, now=now)
            found += covered(decision, table)
            assert decision.missed is None or decision.missed.count <= 2 * limit + 30
            start = decision.next_nominal_at

    assert sorted(found) == found == sorted(set(found))
    nominals = between(table, first, now + MICROSECOND, 1_000_000)
    assert found == [each for each in nominals if fire_time("task", policy.jitter, each) <= now]


def test_what_is_less_than_30_seconds_late_fires_all_of_it() -> None:
    table = every(1 / 6)

    decision = decide(
        Rules("task", Policy(overlap=Overlap(OverlapMode.ALLOW)), table, Live()),
        next_nominal_at=NOON - MISSED_AFTER,
        now=NOON,
    )

    assert [NOON - fire.nominal_at for fire in decision.fires] == [
        timedelta(seconds=s) for s in (30, 20, 10, 0)
    ]
    assert decision.missed is None


def test_after_an_outage_only_the_latest_is_made_up_and_one_span_names_the_rest() -> None:
    decision = decide(
        Rules("task", Policy(), every(10), Live()),
        next_nominal_at=NOON - timedelta(hours=2),
        now=NOON + timedelta(minutes=5),
    )

    assert [fire.nominal_at for fire in decision.fires] == [NOON]
    assert decision.missed is not None
    assert (decision.missed.count, decision.missed.last) == (12, NOON - timedelta(minutes=10))
    assert decision.missed.reason == "missed: only the latest is made up"


def test_without_catch_up_the_span_names_all_that_was_missed() -> None:
    policy = Policy(catch_up=CatchUp.NONE)

    decision = decide(
        Rules("task", policy, every(10), Live()),
        next_nominal_at=NOON - timedelta(hours=1),
        now=NOON + timedelta(minutes=5),
    )

    assert decision.fires == ()
    assert decision.missed is not None
    assert (decision.missed.count, decision.missed.reason) == (7, "missed: catch_up is `none`")


def test_what_is_older_than_the_window_is_not_made_up() -> None:
    table = timetable(At((NOON,)), "UTC")

    decision = decide(
        Rules("task", Policy(), table, Live()), next_nominal_at=NOON, now=NOON + timedelta(days=1, seconds=1)
    )

    assert decision.fires == ()
    assert decision.missed is not None and decision.missed.reason == "missed: outside catch_up_window"
    assert decision.next_nominal_at is None


def test_a_fire_that_meets_a_live_one_is_recorded_as_skipped() -> None:
    decision = decide(Rules("task", Policy(), every(10), Live(1)), next_nominal_at=NOON, now=NOON)

    assert [(fire.nominal_at, fire.skipped) for fire in decision.fires] == [
        (NOON, "overlap: an earlier fire is still live")
    ]


def test_fires_of_one_decision_count_as_live_for_each_other() -> None:
    decision = decide(
        Rules("task", Policy(), every(1 / 6), Live()), next_nominal_at=NOON - timedelta(seconds=20), now=NOON
    )

    assert [fire.skipped is None for fire in decision.fires] == [True, False, False]


def test_a_month_of_seconds_is_one_span() -> None:
    table = timetable(Every(timedelta(seconds=1)), "UTC")

    decision = decide(
        Rules("task", Policy(), table, Live()), next_nominal_at=NOON - timedelta(days=30), now=NOON
    )

    assert decision.missed is not None
    assert decision.missed.count == 30 * 86_400 - 31
    assert decision.next_nominal_at == NOON + timedelta(seconds=1)
