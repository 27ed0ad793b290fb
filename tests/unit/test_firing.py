"""The firing pass: APScheduler drives our job store, and nothing it does can lose a fire."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from apscheduler.schedulers.background import BackgroundScheduler
from apscheduler.schedulers.base import BaseScheduler

from taskcfg.errors import DatabaseUnavailable
from taskcfg.scheduling.executor import NotingExecutor
from taskcfg.scheduling.job import DueJob, TimetableTrigger
from taskcfg.scheduling.jobstore import GATHERING, LONGEST_WAIT, ClaimingJobStore
from taskcfg.scheduling.loop import Firing
from taskcfg.spec.fires import Advance, DueTask, Outgoing, message_of
from taskcfg.spec.overlap import Live
from taskcfg.spec.policy import CatchUp, Overlap, OverlapMode, Policy
from taskcfg.spec.schedule import At, Cron, Every
from taskcfg.spec.task import TaskSpec
from taskcfg.spec.times.timetable import timetable
from taskcfg.testing import FakeClock, make_spec

NOW = datetime(2026, 3, 29, 1, tzinfo=UTC)
WHOLE = Policy(catch_up=CatchUp.ALL, overlap=Overlap(OverlapMode.ALLOW))


class Rows:
    """A FiringStore in memory: keeps rows, records what is committed, can be away."""

    def __init__(self, *specs: TaskSpec, now: datetime = NOW) -> None:
        self.now = now
        self.rows = {
            number: DueTask(number, spec, 1, NOW, None, Live()) for number, spec in enumerate(specs, start=1)
        }
        self.committed: list[Advance] = []
        self.abandoned = 0
        self.away_at: str | None = None
        self.due_in: float | None = None

    def begin_pass(self, limit: int) -> Rows.Pass:
        self.reach("begin")
        due = [row for row in self.rows.values() if row.next_nominal_at <= self.now]
        return Rows.Pass(self, due[:limit])

    def seconds_until_due(self) -> float | None:
        return self.due_in

    def reach(self, step: str) -> None:
        if self.away_at == step:
            raise DatabaseUnavailable("the database does not answer")

    class Pass:
        def __init__(self, rows: Rows, due: Sequence[DueTask]) -> None:
            self._rows, self.now, self.due = rows, rows.now, due

        def commit(self, advances: Sequence[Advance]) -> list[Outgoing]:
            self._rows.reach("commit")
            self._rows.committed.extend(advances)
            fires = []
            for advance in advances:
                del self._rows.rows[advance.task.id]
                for _ in advance.decision.fires if advance.decision else ():
                    message = message_of(advance.task.spec)
                    fires.append(Outgoing(uuid4(), uuid4(), 0, 1, advance.task.spec.name, message))
            return fires

        def abandon(self) -> None:
            self._rows.abandoned += 1


def firing(rows: Rows, offered: list[Outgoing], **options: Any) -> Firing:
    return Firing(rows, FakeClock(NOW), offered.extend, **options)


def wait_after_pass(rows: Rows) -> timedelta:
    executor = NotingExecutor()
    store = ClaimingJobStore(rows, executor, FakeClock(NOW), lambda fires: None)
    for job in store.get_due_jobs(NOW):
        executor.submit_job(job, job.run_times)
    coming = store.get_next_run_time()
    assert coming is not None
    return coming - NOW


@pytest.mark.parametrize(("due_in", "expected"), [(0.0, GATHERING), (0.3, 0.3), (None, LONGEST_WAIT)])
def test_what_falls_due_soon_after_a_pass_shares_the_next(due_in: float | None, expected: float) -> None:
    rows = Rows(make_spec("one", schedule=Every(timedelta(hours=1))))
    rows.due_in = due_in

    assert wait_after_pass(rows) == timedelta(seconds=expected)


def test_nothing_is_gathered_after_a_pass_without_fires() -> None:
    rows = Rows()
    rows.due_in = 0.001

    assert wait_after_pass(rows) == timedelta(seconds=0.001)


def test_a_task_with_more_to_make_up_for_is_taken_again_at_once() -> None:
    behind = make_spec("behind", schedule=Every(timedelta(seconds=1)), policy=WHOLE)
    rows = Rows(behind, now=NOW + timedelta(hours=5))
    rows.due_in = 0.0

    assert wait_after_pass(rows) == timedelta()


def test_apscheduler_calls_in_the_order_our_transaction_depends_on() -> None:
    calls: list[str] = []

    class SpyStore(ClaimingJobStore):
        def get_due_jobs(self, now: datetime) -> list[DueJob]:
            calls.append("get_due_jobs")
            return super().get_due_jobs(now)

        def update_job(self, job: DueJob) -> None:
            calls.append(f"update_job {job.name}")

        def remove_job(self, job_id: str) -> None:
            calls.append(f"remove_job {job_id}")

        def get_next_run_time(self) -> datetime | None:
            calls.append("get_next_run_time")
            return super().get_next_run_time()

    class SpyExecutor(NotingExecutor):
        def submit_job(self, job: DueJob, run_times: Sequence[datetime]) -> None:
            calls.append(f"submit_job {job.name} {len(run_times)}")
            super().submit_job(job, run_times)

    class Scheduler(BaseScheduler):
        def wakeup(self) -> None:
            calls.append("wakeup")

        def shutdown(self, wait: bool = True) -> None:
            super().shutdown(wait)

    rows = Rows(
        make_spec("again", schedule=Every(timedelta(seconds=1))), make_spec("once", schedule=At((NOW,)))
    )
    executor = SpyExecutor()
    store = SpyStore(rows, executor, FakeClock(NOW), lambda fires: None)
    scheduler = Scheduler(timezone=UTC, jobstores={"default": store}, executors={"default": executor})
    scheduler.start()
    calls.clear()

    scheduler._process_jobs()

    assert calls == [
        "get_due_jobs",
        "submit_job again 1",
        "update_job again",
        "submit_job once 1",
        "remove_job 2",
        "get_next_run_time",
    ]
    scheduler.shutdown()


def test_a_pass_records_every_due_task_and_hands_its_fires_on() -> None:
    offered: list[Outgoing] = []
    rows = Rows(make_spec("a", schedule=Every(timedelta(seconds=1))), make_spec("b", schedule=At((NOW,))))

    firing(rows, offered).run_once()

    assert sorted(fire.task for fire in offered) == ["a", "b"]
    assert sorted(advance.task.spec.name for advance in rows.committed) == ["a", "b"]


def test_fires_are_decided_by_the_databases_clock_not_by_this_machines() -> None:
    offered: list[Outgoing] = []
    rows = Rows(make_spec("a", schedule=Every(timedelta(seconds=1))), now=NOW + timedelta(seconds=3))
    clock = FakeClock(NOW - timedelta(days=400))

    Firing(rows, clock, offered.extend).run_once()

    decision = rows.committed[0].decision
    assert decision is not None
    assert [fire.nominal_at for fire in decision.fires] == [NOW + timedelta(seconds=n) for n in range(4)]


def test_a_task_that_cannot_be_worked_out_is_quarantined_and_holds_up_no_other() -> None:
    offered: list[Outgoing] = []
    rows = Rows(make_spec("bad", schedule=Cron("0 * * * *"), timezone="Mars/Olympus"), make_spec("good"))

    firing(rows, offered).run_once()

    errors = {advance.task.spec.name: advance.error for advance in rows.committed}
    assert errors == {"bad": "`Mars/Olympus` is not a time zone", "good": None}
    assert [fire.task for fire in offered] == ["good"]


@pytest.mark.parametrize("step", ["begin", "commit"])
def test_a_database_that_is_away_is_waited_for_and_what_was_due_fires_then(step: str) -> None:
    offered: list[Outgoing] = []
    rows = Rows(make_spec("a"))
    loop = firing(rows, offered)
    rows.away_at = step

    with pytest.raises(DatabaseUnavailable):
        loop.run_once()
    assert offered == []

    rows.away_at = None
    loop.run_once()
    assert [fire.task for fire in offered] == ["a"]


def test_a_full_batch_is_followed_by_the_next_pass_at_once() -> None:
    offered: list[Outgoing] = []
    rows = Rows(*(make_spec(f"t{number}") for number in range(5)))
    loop = firing(rows, offered, batch=2)

    waits = [loop.run_once() for _ in range(3)]

    assert waits[0] == pytest.approx(0, abs=0.5)
    assert waits[1] == pytest.approx(0, abs=0.5)
    assert len(offered) == 5


def test_an_error_nobody_thought_of_ends_the_pass_and_not_the_next_one() -> None:
    rows = Rows(make_spec("a"), make_spec("b"))
    offered: list[Outgoing] = []

    def refuse_once(fires: Sequence[Outgoing]) -> None:
        if not offered:
            offered.append(fires[0])
            raise RuntimeError("nobody thought of this")
        offered.extend(fires)

    loop = Firing(rows, FakeClock(NOW), refuse_once, batch=1)

    with pytest.raises(RuntimeError, match="nobody thought of this"):
        loop.run_once()
    assert loop.run_once() <= LONGEST_WAIT
    assert [fire.task for fire in offered] == ["a", "b"]


def test_the_trigger_gives_apscheduler_the_times_of_the_one_core_also_as_clocks_change() -> None:
    night = datetime(2026, 3, 28, 12, tzinfo=UTC)
    trigger = TimetableTrigger(timetable(Cron("30 2 * * *"), "Europe/Berlin"))
    scheduler = BackgroundScheduler(timezone=UTC)
    scheduler.start(paused=True)
    first = trigger.get_next_fire_time(None, night)
    job = scheduler.add_job(lambda: None, trigger, next_run_time=first, misfire_grace_time=None)

    run_times = job._get_run_times(night + timedelta(days=3))
    job.reschedule(trigger)

    assert run_times == [
        datetime(2026, 3, 29, 1, 0, tzinfo=UTC),  # 02:30 is skipped: at 03:00 there, right after it
        datetime(2026, 3, 30, 0, 30, tzinfo=UTC),
        datetime(2026, 3, 31, 0, 30, tzinfo=UTC),
    ]
    assert job.next_run_time == trigger.get_next_fire_time(None, datetime.now(UTC))
    scheduler.shutdown()


def test_a_schedule_that_has_ended_ends_its_job() -> None:
    trigger = TimetableTrigger(timetable(At((NOW,)), "UTC"))

    assert trigger.get_next_fire_time(None, NOW - timedelta(seconds=1)) == NOW
    assert trigger.get_next_fire_time(NOW, NOW) is None
