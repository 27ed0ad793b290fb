"""A task whose schedule changes while it fires: each nominal time belongs to the schedule then in force."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from nominals import between
from taskcfg.spec.advance import advance, advance_to_edit
from taskcfg.spec.fire_time import coming_after, fire_time
from taskcfg.spec.fires import Advance, DueTask
from taskcfg.spec.overlap import Live
from taskcfg.spec.policy import CatchUp, Overlap, OverlapMode, Policy
from taskcfg.spec.schedule import Cron, Every
from taskcfg.spec.times.timetable import timetable
from taskcfg.testing import make_spec

START = datetime(2026, 10, 24, 22, 30, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)
ZONE = "Europe/Berlin"

schedules = st.sampled_from(
    [Every(timedelta(minutes=5)), Every(timedelta(minutes=7)), Cron("*/10 * * * *"), Cron("30 2,3 * * *")]
)
policies = st.builds(
    Policy,
    jitter=st.sampled_from([timedelta(0), timedelta(seconds=200), timedelta(seconds=299)]),
    catch_up=st.sampled_from(CatchUp),
    catch_up_window=st.sampled_from([timedelta(0), timedelta(minutes=20), timedelta(days=1)]),
    overlap=st.just(Overlap(OverlapMode.ALLOW)),
)
steps = st.lists(
    st.tuples(st.timedeltas(timedelta(0), timedelta(minutes=40)), st.none() | st.tuples(schedules, policies)),
    max_size=12,
)


class Row:
    """A task's row: passes advance it, and edits give it another spec, as the store does both."""

    def __init__(self, schedule: Every | Cron, policy: Policy) -> None:
        self.spec = make_spec("task", schedule=schedule, policy=policy, timezone=ZONE)
        self.next = coming_after(self.spec, START)
        self.last: datetime | None = None
        self.told: list[datetime] = []

    def make_passes(self, now: datetime) -> None:
        while self.next is not None and self.next.fire_at <= now:
            self._record(advance(self._due(), now))

    def edit(self, schedule: Every | Cron, policy: Policy, now: datetime) -> None:
        while self.next is not None and self.next.nominal_at <= now:
            self._record(advance_to_edit(self._due(), now))
        self.spec = replace(self.spec, schedule=schedule, policy=policy)
        self.next = coming_after(self.spec, now)

    def _due(self) -> DueTask:
        assert self.next is not None
        return DueTask(1, self.spec, 1, self.next.nominal_at, self.last, Live())

    def _record(self, made: Advance) -> None:
        decision = made.decision
        assert decision is not None and made.error is None
        if decision.missed:
            span = decision.missed
            counted = between(
                timetable(self.spec.schedule, ZONE), span.first, span.last + MICROSECOND, 1_000_000
            )
            assert len(counted) == span.count
            self.told += counted
        for fire in decision.fires:
            assert fire.fire_at == fire_time("task", self.spec.policy.jitter, fire.nominal_at)
            self.told.append(fire.nominal_at)
        self.last = decision.last_nominal_at
        self.next = coming_after(self.spec, self.last)


@given(schedules, policies, steps)
def test_whatever_is_edited_and_whenever_every_nominal_time_is_told_of_once(
    schedule: Every | Cron,
    policy: Policy,
    steps: list[tuple[timedelta, tuple[Every | Cron, Policy] | None]],
) -> None:
    row, now = Row(schedule, policy), START
    in_force = [(START, schedule)]

    for passing, edit in steps:
        now += passing
        if edit is None:
            row.make_passes(now)
        else:
            row.edit(*edit, now)
            in_force.append((now, edit[0]))
    row.edit(schedule, policy, now)

    expected: list[datetime] = []
    for (since, rule), (until, _) in pairwise([*in_force, (now, schedule)]):
        expected += between(
            timetable(rule, ZONE), since + MICROSECOND, max(until, since) + MICROSECOND, 100_000
        )
    assert row.told == expected
