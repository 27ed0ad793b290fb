"""What becomes of the fires that a pause has kept from firing: each is told of exactly once."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nominals import between
from taskcfg.spec.advance import advance, advance_past_pause
from taskcfg.spec.due import Decision, Rules
from taskcfg.spec.fire_time import Coming
from taskcfg.spec.fires import Advance, DueTask
from taskcfg.spec.overlap import Live
from taskcfg.spec.pause import MOST_MADE_UP, Pause, settle
from taskcfg.spec.policy import CatchUp, Overlap, OverlapMode, Policy
from taskcfg.spec.schedule import At, Cron, Every, Manual, Schedule
from taskcfg.spec.times.timetable import Timetable, timetable
from taskcfg.testing import make_spec

NOON = datetime(2026, 3, 29, 12, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)
ALLOW, SKIP = Overlap(OverlapMode.ALLOW), Overlap(OverlapMode.SKIP)

schedules = st.one_of(
    st.builds(Every, st.timedeltas(timedelta(seconds=1), timedelta(hours=9))),
    st.sampled_from([Cron("* * * * *"), Cron("*/20 * * * *"), Cron("30 2 * * *"), At((NOON,))]),
)
spans = st.timedeltas(timedelta(0), timedelta(hours=7))


def covered(decision: Decision | None, table: Timetable) -> list[datetime]:
    """Return every nominal time that *decision* tells of, in order."""
    if decision is None:
        return []
    times = [fire.nominal_at for fire in decision.fires]
    if decision.missed:
        span = between(table, decision.missed.first, decision.missed.last + MICROSECOND, 10_000_000)
        assert len(span) == decision.missed.count
        times = span + times
    return times


@given(schedules, st.sampled_from(CatchUp), st.sampled_from([ALLOW, SKIP]), spans, spans, spans, spans)
def test_every_nominal_time_is_told_of_once_whenever_a_task_is_paused_and_resumed(
    schedule: Schedule,
    missed: CatchUp,
    overlap: Overlap,
    to_pause: timedelta,
    to_until: timedelta,
    to_resume: timedelta,
    to_end: timedelta,
) -> None:
    spec = make_spec(schedule=schedule, policy=Policy(overlap=overlap), timezone="Europe/Berlin")
    table = timetable(schedule, "Europe/Berlin")
    begin = NOON - timedelta(hours=14)
    paused, until = begin + to_pause, begin + to_pause + to_until
    resumed = paused + to_resume
    ends = Pause("ann", "why", paused, until).ends_at(resumed)
    told: list[datetime] = []

    def settled(task: DueTask, found: Advance) -> DueTask:
        told.extend(covered(found.decision, table))
        if found.decision is None:
            return task
        after = found.decision.next_nominal_at or datetime(9999, 1, 1, tzinfo=UTC)
        return DueTask(1, spec, 1, after, found.decision.last_nominal_at, Live())

    task = DueTask(1, spec, 1, begin, None, Live())
    task = settled(task, advance(task, paused))
    task = settled(task, advance_past_pause(task, missed, ends))
    last = resumed + to_end
    settled(task, advance(task, last))

    assert told == between(table, begin, last + MICROSECOND, 10_000_000)


@pytest.mark.parametrize(
    ("missed", "fires", "counted", "reason"),
    [
        (CatchUp.NONE, 0, 2_592_000, "paused"),
        (CatchUp.LATEST, 1, 2_591_999, "paused: only the latest is made up"),
        (CatchUp.ALL, MOST_MADE_UP, 2_591_000, "paused: only the latest 1,000 are made up"),
    ],
)
def test_thirty_days_of_a_task_that_fires_each_second(
    missed: CatchUp, fires: int, counted: int, reason: str
) -> None:
    table = timetable(Every(timedelta(seconds=1)), "UTC")
    end = NOON + timedelta(days=30)

    decision = settle(Rules("task", Policy(overlap=ALLOW), table, Live()), missed, start=NOON, end=end)

    assert decision is not None and decision.missed is not None
    assert len(decision.fires) == fires
    assert (decision.missed.count, decision.missed.reason) == (counted, reason)
    assert (decision.last_nominal_at, decision.next_nominal_at) == (end - timedelta(seconds=1), end)


def test_when_all_are_made_up_nothing_is_missed_and_overlap_holds() -> None:
    table = timetable(Every(timedelta(hours=1)), "UTC")

    allowed = settle(
        Rules("task", Policy(overlap=ALLOW), table, Live(1)),
        CatchUp.ALL,
        start=NOON,
        end=NOON + timedelta(hours=3),
    )
    skipping = settle(
        Rules("task", Policy(overlap=SKIP), table, Live()),
        CatchUp.ALL,
        start=NOON,
        end=NOON + timedelta(hours=3),
    )

    assert allowed and allowed.missed is None
    assert [fire.skipped for fire in allowed.fires] == [None] * 3
    assert skipping and [fire.skipped is None for fire in skipping.fires] == [True, False, False]


def test_what_has_no_time_in_the_pause_goes_on_as_it_was() -> None:
    task = DueTask(1, make_spec(schedule=Manual()), 1, NOON, None, 0)
    hourly = DueTask(1, make_spec(), 1, NOON, None, Live())
    broken = DueTask(1, make_spec(schedule=Cron("0 0 30 2 *")), 1, NOON, None, 0)

    assert advance_past_pause(task, CatchUp.ALL, NOON).resume_at is None
    assert advance_past_pause(hourly, CatchUp.ALL, NOON).resume_at == Coming(NOON, NOON)
    assert advance_past_pause(broken, CatchUp.ALL, NOON + timedelta(days=1)).error is not None
