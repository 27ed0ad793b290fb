"""The gate's books: an attempt starts once, and its end decides what becomes of the fire."""

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import psycopg2
import psycopg2.extensions
import pytest
from sqlalchemy import Engine, event

from stored import World, delivered
from taskcfg.spec.fires import (
    MOST_REDISPATCHES,
    Dispatched,
    ExecutionState,
    Outcome,
    Outgoing,
    Refused,
    Started,
    celery_id,
)
from taskcfg.spec.policy import Delivery, Policy, Retry
from taskcfg.store import task_configs
from taskcfg.store.database import applying, open_database, reading, writing
from taskcfg.store.executions import ExecutionRecords
from taskcfg.store.interventions import cancel_fires
from taskcfg.store.settings_table import database_uuid
from taskcfg.testing import FakeClock, make_spec

SECOND = timedelta(seconds=1)
FAILED = Outcome(ExecutionState.FAILED, error="ValueError: no", traceback="Traceback …")
LOST = Outcome(ExecutionState.LOST, error="killed")
DONE = Outcome(ExecutionState.SUCCEEDED, {"rows": 3})


@pytest.fixture
def records(database: Engine) -> ExecutionRecords:
    return ExecutionRecords(database)


def published(world: World, **fields: Any) -> Outgoing:
    """One fire that the broker has."""
    world.add(make_spec(**fields))
    (fire,) = world.let_fire()
    world.publish([fire])
    return fire


def begin(records: ExecutionRecords, dispatched: Dispatched) -> Started:
    started = records.start(dispatched)
    assert isinstance(started, Started), started
    return started


def publish_again(world: World) -> Outgoing:
    """Let the next dispatch go out at once."""
    world.change_events(next_attempt_at=None)
    (fire,) = world.outbox.claim(10, held=())
    world.publish([fire])
    return fire


def test_a_success_closes_the_execution_and_its_fire(world: World, records: ExecutionRecords) -> None:
    fire = published(world, labels={"team": "platform"}, policy=Policy(timeout=timedelta(minutes=1)))
    boot = uuid4()

    started = begin(records, delivered(fire, boot=boot))
    (running,) = world.executions()
    records.finish(started.execution_id, DONE)

    (execution,), event = world.executions(), world.event()
    assert (started.task, started.type, started.attempt) == ("nightly", "cleanup", 1)
    assert (started.event_id, started.labels) == (fire.event_id, {"team": "platform"})
    assert started.nominal_at == event.nominal_at
    assert (running.state, running.worker, running.boot_id) == ("running", "w1@host", boot)
    assert running.deadline_at - running.started_at == timedelta(seconds=70)
    assert (execution.state, execution.result, execution.celery_id) == (
        "succeeded",
        {"rows": 3},
        fire.celery_id,
    )
    assert execution.finished_at >= execution.started_at >= execution.queued_at
    assert (event.state, event.attempts) == ("done", 1) and event.done_at is not None


class TestRefusals:
    """A message arrives that must not run: twice, late, or for what is over."""

    def refusal(self, records: ExecutionRecords, dispatched: Dispatched) -> str:
        answer = records.start(dispatched)
        assert isinstance(answer, Refused), answer
        return answer.reason

    def test_the_second_delivery_of_a_message(self, world: World, records: ExecutionRecords) -> None:
        fire = published(world)
        begin(records, delivered(fire))

        assert self.refusal(records, delivered(fire)) == "this dispatch was started already"
        assert len(world.executions()) == 1

    def test_a_delivery_after_the_end(self, world: World, records: ExecutionRecords) -> None:
        fire = published(world)
        records.finish(begin(records, delivered(fire)).execution_id, DONE)

        assert self.refusal(records, delivered(fire)) == "the fire is done"

    def test_an_older_dispatch(self, world: World, records: ExecutionRecords) -> None:
        fire = published(world, policy=Policy(retry=Retry(attempts=2)))
        records.finish(begin(records, delivered(fire)).execution_id, FAILED)

        assert self.refusal(records, delivered(fire)) == "dispatch 1 is over: the fire is at dispatch 2"

    def test_a_copy_under_another_id(self, world: World, records: ExecutionRecords) -> None:
        fire = published(world)
        copy = Dispatched(fire.event_id, 1, uuid4(), 0, "w", None)

        assert "is a copy" in self.refusal(records, copy)

    def test_a_fire_that_nobody_recorded(self, world: World, records: ExecutionRecords) -> None:
        unknown = Dispatched(uuid4(), 1, uuid4(), 0, "w", None)

        assert self.refusal(records, unknown) == "there is no such fire"

    def test_a_fire_that_is_late_becomes_expired(self, world: World, records: ExecutionRecords) -> None:
        fire = published(world, policy=Policy(expires=timedelta(hours=1)))
        world.change_events(expires_at=datetime.now(UTC) - SECOND)

        assert self.refusal(records, delivered(fire)) == "expired: not started in time"
        assert world.event().state == "expired" and world.event().done_at is not None

    def test_a_fire_that_somebody_cancels_becomes_cancelled(
        self, world: World, records: ExecutionRecords
    ) -> None:
        fire = published(world)
        world.change_events(cancel_requested_at=datetime.now(UTC))

        assert self.refusal(records, delivered(fire)) == "cancelled before it started"
        assert world.event().state == "cancelled"

    def test_a_fire_of_a_deleted_task_becomes_cancelled(
        self, world: World, records: ExecutionRecords
    ) -> None:
        fire = published(world)
        with applying(world.database, 5) as connection:
            task_configs.retire_tasks(connection, [world.task("nightly").id])

        assert self.refusal(records, delivered(fire)) == "cancelled: the task was deleted"
        assert world.event().state == "cancelled"

    @pytest.mark.parametrize(
        "state", ["waiting", "done", "skipped", "missed", "expired", "dead", "cancelled"]
    )
    def test_a_fire_that_is_not_on_its_way(self, world: World, records: ExecutionRecords, state: str) -> None:
        fire = published(world)
        world.change_events(state=state)

        assert self.refusal(records, delivered(fire)) == f"the fire is {state}"
        assert world.executions() == []

    def test_of_many_workers_with_one_message_one_starts(
        self, world: World, records: ExecutionRecords
    ) -> None:
        fire = published(world)
        answers: list[Started | Refused] = []
        barrier = threading.Barrier(4)

        def work() -> None:
            barrier.wait()
            answers.append(records.start(delivered(fire)))

        threads = [threading.Thread(target=work) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

        assert sorted(type(answer).__name__ for answer in answers) == ["Refused"] * 3 + ["Started"]
        assert world.event().attempts == 1


def test_on_postgres_the_usual_attempt_costs_two_commits_and_no_round_trip_more(
    world: World, database: Engine, records: ExecutionRecords
) -> None:
    if database.dialect.name != "postgresql":
        return
    first, second = published(world, name="one"), published(world, name="two")
    records.finish(begin(records, delivered(first)).execution_id, DONE)  # connects
    said: list[str] = []
    event.listen(database, "before_cursor_execute", lambda *arguments: said.append(arguments[2]))

    records.finish(begin(records, delivered(second)).execution_id, DONE)

    assert [len(said), [row.state for row in world.executions()]] == [2, ["succeeded", "succeeded"]]


def test_a_worker_may_be_faster_than_the_relays_own_note(world: World, records: ExecutionRecords) -> None:
    world.add(make_spec())
    (fire,) = world.let_fire()

    started = begin(records, delivered(fire))
    while_running = world.event()
    world.publish([fire])
    records.finish(started.execution_id, DONE)

    assert while_running.state == "published" and while_running.published_at is not None
    assert world.event().state == "done"


class TestRetries:
    """The policy says how often and how far apart; losses and Celery's own retries do not count."""

    def test_a_failure_with_attempts_left_is_dispatched_anew(
        self, world: World, records: ExecutionRecords
    ) -> None:
        policy = Policy(retry=Retry(attempts=2, delay=timedelta(seconds=90)))
        fire = published(world, policy=policy)

        records.finish(begin(records, delivered(fire)).execution_id, FAILED)

        event, (execution,) = world.event(), world.executions()
        with reading(world.database) as connection:
            expected = celery_id(database_uuid(connection), event.task_config_id, event.dedupe_key, 2)
        assert (execution.state, execution.error) == ("retrying", "ValueError: no")
        assert (event.state, event.dispatch_no, event.celery_id) == ("pending", 2, expected)
        assert expected != fire.celery_id
        assert (event.node_id, event.published_at) == (None, None)
        assert timedelta(seconds=80) < event.next_attempt_at - datetime.now(UTC) <= timedelta(seconds=90)
        assert world.outbox.claim(10, held=()) == []

    def test_the_last_attempt_decides(self, world: World, records: ExecutionRecords) -> None:
        fire = published(world, policy=Policy(retry=Retry(attempts=3)))
        for _ in range(2):
            records.finish(begin(records, delivered(fire)).execution_id, FAILED)
            fire = publish_again(world)
        records.finish(begin(records, delivered(fire)).execution_id, FAILED)

        assert [row.state for row in world.executions()] == ["retrying", "retrying", "failed"]
        assert [row.attempt for row in world.executions()] == [1, 2, 3]
        assert [row.dispatch_no for row in world.executions()] == [1, 2, 3]
        assert (world.event().state, world.event().attempts) == ("done", 3)

    def test_a_lost_attempt_uses_up_no_retry(self, world: World, records: ExecutionRecords) -> None:
        fire = published(world, policy=Policy(retry=Retry(attempts=2)))
        for outcome in (LOST, FAILED, LOST):
            records.finish(begin(records, delivered(fire)).execution_id, outcome)
            fire = publish_again(world)
        records.finish(begin(records, delivered(fire)).execution_id, FAILED)

        assert [row.state for row in world.executions()] == ["lost", "retrying", "lost", "failed"]
        assert world.event().state == "done"

    def test_a_fire_whose_worker_dies_every_time_is_dead_in_the_end(
        self, world: World, records: ExecutionRecords
    ) -> None:
        fire = published(world)
        for _ in range(MOST_REDISPATCHES):
            records.finish(begin(records, delivered(fire)).execution_id, LOST)
            fire = publish_again(world)
        records.finish(begin(records, delivered(fire)).execution_id, LOST)

        assert [row.state for row in world.executions()] == ["lost"] * 4
        assert (world.event().state, world.event().reason) == ("dead", "dead: its worker was lost 4 times")

    def test_at_most_once_is_never_dispatched_again(self, world: World, records: ExecutionRecords) -> None:
        fire = published(world, policy=Policy(delivery=Delivery.AT_MOST_ONCE))

        records.finish(begin(records, delivered(fire)).execution_id, LOST)

        assert (world.event().state, world.executions()[0].state) == ("done", "lost")

    def test_celerys_own_retry_keeps_the_fire_live_and_uses_up_nothing(
        self, world: World, records: ExecutionRecords
    ) -> None:
        fire = published(world, policy=Policy(retry=Retry(attempts=2)))
        again = Outcome(ExecutionState.RETRYING, error="Retry in 5s")
        for celery_retry in range(3):
            started = begin(records, delivered(fire, celery_retry=celery_retry))
            records.finish(started.execution_id, again)
            assert world.event().state == "published"

        last = begin(records, delivered(fire, celery_retry=3))
        records.finish(last.execution_id, FAILED)

        assert [row.celery_retry for row in world.executions()] == [0, 1, 2, 3]
        assert [row.attempt for row in world.executions()] == [1, 2, 3, 4]
        assert (world.event().state, world.event().dispatch_no) == ("pending", 2)

    def test_an_attempt_in_progress_when_its_task_is_deleted_is_the_last(
        self, world: World, records: ExecutionRecords
    ) -> None:
        fire = published(world, policy=Policy(retry=Retry(attempts=5)))
        started = begin(records, delivered(fire))
        with applying(world.database, 5) as connection:
            task_configs.retire_tasks(connection, [world.task("nightly").id])

        records.finish(started.execution_id, FAILED)

        assert world.executions()[0].state == "failed"
        assert (world.event().state, world.event().reason) == ("cancelled", "cancelled: the task was deleted")

    def test_a_policy_spoiled_by_hand_ends_the_attempts_and_hides_no_outcome(
        self, world: World, records: ExecutionRecords
    ) -> None:
        fire = published(world, policy=Policy(retry=Retry(attempts=5)))
        started = begin(records, delivered(fire))
        world.change_task("nightly", policy={"retry": "often"}, labels=["x"])

        records.finish(started.execution_id, FAILED)

        assert (world.event().state, world.executions()[0].state) == ("done", "failed")


class TestTheParentProcess:
    """A pool child is killed; its parent knows only the message."""

    def test_it_closes_what_the_child_left_open(self, world: World, records: ExecutionRecords) -> None:
        fire = published(world)
        begin(records, delivered(fire))

        records.finish_dispatch(delivered(fire), LOST)

        assert world.executions()[0].state == "lost"
        assert (world.event().state, world.event().dispatch_no) == ("pending", 2)

    def test_it_changes_nothing_when_the_child_has_finished(
        self, world: World, records: ExecutionRecords
    ) -> None:
        fire = published(world)
        records.finish(begin(records, delivered(fire)).execution_id, DONE)

        records.finish_dispatch(delivered(fire), LOST)

        assert (world.executions()[0].state, world.event().state) == ("succeeded", "done")

    def test_twice_is_once(self, world: World, records: ExecutionRecords) -> None:
        fire = published(world, policy=Policy(retry=Retry(attempts=3)))
        begin(records, delivered(fire))

        for _ in range(2):
            records.finish_dispatch(delivered(fire), Outcome(ExecutionState.TIMED_OUT))

        assert world.executions()[0].state == "retrying"
        assert (world.event().state, world.event().dispatch_no) == ("pending", 2)

    def test_a_child_that_died_before_its_attempt_was_recorded_has_its_message_sent_again(
        self, world: World, records: ExecutionRecords
    ) -> None:
        fire = published(world)

        records.finish_dispatch(delivered(fire), LOST)
        world.publish([fire])
        world.change_events(next_attempt_at=None)
        (again,) = world.outbox.claim(10, held=())

        assert (again.celery_id, again.dispatch_no) == (fire.celery_id, 1)
        assert world.executions() == []
        world.publish([again])
        begin(records, delivered(again))


class TestADroppedMessage:
    """A worker got a message whose task it does not know; Celery drops it."""

    @pytest.mark.parametrize(
        "noted", [True, False], ids=["after the relay's note", "before the relay's note"]
    )
    def test_the_fire_says_so_until_somebody_starts_it(
        self, world: World, records: ExecutionRecords, noted: bool
    ) -> None:
        world.add(make_spec())
        (fire,) = world.let_fire()
        if noted:
            world.publish([fire])

        records.explain(delivered(fire), "nobody here knows it")
        if not noted:
            world.publish([fire])
        told = world.event()
        begin(records, delivered(fire))

        assert (told.state, told.reason) == ("published", "nobody here knows it")
        assert told.published_at is not None
        assert (world.event().state, world.event().reason) == ("published", None)

    def test_a_fire_that_runs_or_has_ended_is_left_alone(
        self, world: World, records: ExecutionRecords
    ) -> None:
        fire = published(world)
        started = begin(records, delivered(fire))
        records.explain(delivered(fire), "nobody here knows it")
        running = world.event().reason
        records.finish(started.execution_id, DONE)

        records.explain(delivered(fire), "nobody here knows it")

        assert (running, world.event().state, world.event().reason) == (None, "done", None)


def test_a_late_end_of_an_attempt_that_was_taken_for_lost_changes_nothing(
    world: World, records: ExecutionRecords
) -> None:
    fire = published(world)
    slow = begin(records, delivered(fire))
    records.finish_dispatch(delivered(fire), LOST)
    second = publish_again(world)
    begin(records, delivered(second))

    records.finish(slow.execution_id, DONE)

    assert [row.state for row in world.executions()] == ["lost", "running"]
    assert world.event().state == "published"


@pytest.mark.parametrize(
    ("result", "kept"),
    [
        (None, None),
        ([1, "zwei", {"drei": None}], [1, "zwei", {"drei": None}]),
        ({"a": "x\0y"}, {"a": "x\ufffdy"}),
        ("\ud800", "\ufffd"),
        ({1}, "{1}"),
        (float("nan"), "nan"),
        (r"\u0000", r"\u0000"),
    ],
)
def test_whatever_a_body_returns_can_be_kept(
    world: World, records: ExecutionRecords, result: Any, kept: Any
) -> None:
    fire = published(world)

    records.finish(begin(records, delivered(fire)).execution_id, Outcome(ExecutionState.SUCCEEDED, result))

    assert world.executions()[0].result == kept
    assert world.event().state == "done"


def test_what_is_too_long_is_cut_where_it_says_least(world: World, records: ExecutionRecords) -> None:
    fire = published(world)
    outcome = Outcome(
        ExecutionState.FAILED, ["x" * 100_000], error="e" * 100_000 + "END", traceback="START" + "t" * 100_000
    )

    records.finish(begin(records, delivered(fire)).execution_id, outcome)

    (row,) = world.executions()
    assert [len(text) for text in (row.result, row.error, row.traceback)] == [65_536] * 3
    assert row.error.startswith("eee") and row.error.endswith("e… [cut: 100,003 characters in all]")
    assert row.traceback.startswith("[cut: 100,005 characters in all] …t") and row.traceback.endswith("t")


def test_a_message_that_comes_once_more_does_not_end_a_fire_whose_attempt_is_being_cancelled(
    world: World, records: ExecutionRecords
) -> None:
    fire = published(world)
    execution = begin(records, delivered(fire)).execution_id
    with writing(world.database) as connection:
        cancel_fires(connection, [fire.event_id], actor="ann")

    again = records.start(delivered(fire))

    assert isinstance(again, Refused)
    assert world.event().state == "published"
    records.finish(execution, Outcome(ExecutionState.TIMED_OUT))
    assert (world.event().state, world.executions()[0].state) == ("cancelled", "cancelled")


class TestADatabaseThatIsAway:
    """The worker waits for it: it neither runs unrecorded nor forgets how an attempt ended."""

    def test_each_call_waits_until_it_is_back_and_says_so_once(
        self, database_url: str, world: World, caplog: pytest.LogCaptureFixture
    ) -> None:
        fire = published(world)
        with broken_for(database_url, connections=7) as away:
            clock = PatientClock()

            started = ExecutionRecords(away, clock).start(delivered(fire))

        assert isinstance(started, Started)
        assert clock.slept == [0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 5.0]
        said = [record.message.split(" ")[0] for record in caplog.records]
        assert said == ["database.unavailable", "database.recovered"]

    def test_a_start_whose_commit_got_no_answer_is_recognised_as_its_own(
        self, database_url: str, world: World
    ) -> None:
        fire = published(world)
        with losing_answers(database_url, commits=1) as forgetful:
            started = ExecutionRecords(forgetful, FakeClock()).start(delivered(fire))

        assert isinstance(started, Started) and started.attempt == 1
        assert [row.id for row in world.executions()] == [started.execution_id]

    def test_an_end_whose_commit_got_no_answer_is_written_once(
        self, database_url: str, world: World, records: ExecutionRecords
    ) -> None:
        fire = published(world, policy=Policy(retry=Retry(attempts=3)))
        started = begin(records, delivered(fire))
        with losing_answers(database_url, commits=1) as forgetful:
            ExecutionRecords(forgetful, FakeClock()).finish(started.execution_id, FAILED)

        assert (world.event().state, world.event().dispatch_no) == ("pending", 2)


class PatientClock(FakeClock):
    """A clock that remembers for how long it was slept."""

    def __init__(self) -> None:
        super().__init__()
        self.slept: list[float] = []

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        super().sleep(seconds)


@contextmanager
def broken_for(url: str, *, connections: int) -> Iterator[Engine]:
    """The database, to which the first so many connections fail."""
    left = iter(range(connections))
    with own_engine(url) as database:

        @event.listens_for(database, "do_connect")
        def refuse(dialect: Any, record: Any, arguments: Any, options: Any) -> None:
            if next(left, None) is not None:
                raise dialect.loaded_dbapi.OperationalError("connection refused")

        yield database


@contextmanager
def losing_answers(url: str, *, commits: int) -> Iterator[Engine]:
    """The database, whose answers to the first so many commits are lost on the way."""
    left = iter(range(commits))

    class Postgres(psycopg2.extensions.connection):
        def commit(self) -> None:
            super().commit()
            if next(left, None) is not None:
                raise psycopg2.OperationalError("server closed the connection unexpectedly")

    class Sqlite(sqlite3.Connection):
        def commit(self) -> None:
            super().commit()
            if next(left, None) is not None:
                raise sqlite3.OperationalError("disk I/O error")

    with own_engine(url) as database:

        @event.listens_for(database, "do_connect")
        def choose(dialect: Any, record: Any, arguments: Any, options: dict[str, Any]) -> None:
            if dialect.name == "postgresql":
                options["connection_factory"] = Postgres
            else:
                options["factory"] = Sqlite

        yield database


@contextmanager
def own_engine(url: str) -> Iterator[Engine]:
    database = open_database(url, role="test")
    try:
        yield database
    finally:
        database.dispose()
