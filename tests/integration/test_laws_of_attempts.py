"""The laws of `retry`, `timeout`, `expires` and `delivery`: a model of a fire's life beside the real one.

Whatever happens, in whatever order, the database says what the model says: which attempts a fire has,
when the next may go out, and how it ends. Time passes by moving every instant in the database back.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test
from sqlalchemy import delete, event, select, update

from stored import World
from taskcfg.errors import FireNotReady
from taskcfg.spec.fires import (
    Confirmed,
    Dispatched,
    ExecutionState,
    Outcome,
    Started,
    Unconfirmed,
    Unroutable,
    Unsendable,
)
from taskcfg.spec.policy import Backoff, Delivery, Overlap, OverlapMode, Policy, Retry
from taskcfg.store import nodes
from taskcfg.store.columns import db_shift
from taskcfg.store.database import database_time, reading, writing
from taskcfg.store.executions import ExecutionRecords
from taskcfg.store.interventions import cancel_fires, retry_fires
from taskcfg.store.reaper import reap
from taskcfg.store.tables import schedule_event, task_config, task_execution
from taskcfg.testing import make_spec

NEVER = timedelta(days=36_500)
"""So long after publishing the reaper sends unclaimed fires again: that is another law."""

AFTER_LOSS = 2.0
MOST_LOSSES = 3
SILENCE = 60.0
HARD_AFTER = 10.0
SLACK = 30.0
"""Seconds that a step may take on a slow machine."""

PASSING = [0.0, 3.0, 45.0, 400.0, 4000.0, 90_000.0]

policies = st.builds(
    Policy,
    timeout=st.sampled_from([None, timedelta(seconds=60)]),
    retry=st.builds(
        Retry,
        attempts=st.integers(1, 4),
        delay=st.sampled_from([timedelta(seconds=100), timedelta(seconds=1000)]),
        backoff=st.sampled_from(Backoff),
        max_delay=st.sampled_from([timedelta(seconds=300), timedelta(hours=1)]),
        jitter=st.booleans(),
    ),
    overlap=st.just(Overlap(OverlapMode.ALLOW)),
    expires=st.sampled_from([None, timedelta(minutes=10)]),
    delivery=st.sampled_from(Delivery),
)


@dataclass
class Life:
    """What the model knows of one fire. `now` of the model is the sum of all time that passed."""

    id: UUID
    born: float
    state: str = "pending"
    dispatch: int = 1
    failures: int = 0
    losses: int = 0
    executions: list[str] = field(default_factory=list)
    running: tuple[UUID, UUID, float] | None = None
    cancelled: bool = False
    retried: bool = False

    @property
    def is_live(self) -> bool:
        return self.state in ("pending", "published")


class Attempts(RuleBasedStateMachine):
    """One task with a policy; its fires are published, delivered, ended, lost, cancelled and retried."""

    def __init__(self, world: World) -> None:
        super().__init__()
        self.world = world
        self.records = ExecutionRecords(world.database)
        self.lives: dict[UUID, Life] = {}
        self.messages: list[Dispatched] = []
        self.started: set[tuple[UUID, int, int]] = set()
        self.now = 0.0
        self.name = f"task-{uuid4().hex}"

    @initialize(policy=policies)
    def declare(self, policy: Policy) -> None:
        self.policy = policy
        self.task_id = self.world.add(make_spec(self.name, policy=policy))[self.name]
        self.materialise()

    @rule()
    def materialise(self) -> None:
        if len(self.lives) == 4:
            return
        (fire,) = self.world.let_fire(self.name)
        with writing(self.world.database) as connection:
            connection.execute(update(schedule_event).values(node_id=None).where(self._ours()))
        self.lives[fire.event_id] = Life(fire.event_id, self.now)

    @rule(
        receipt=st.sampled_from(
            [Confirmed(), Confirmed(), Unroutable("r"), Unconfirmed("r"), Unsendable("r")]
        )
    )
    def publish(self, receipt: Any) -> None:
        before = self._rows()
        fires = self.world.outbox.claim(50, held=())
        self.world.publish(fires, receipt)
        claimed = {fire.event_id for fire in fires}
        now = self._database_now()
        for id_, life in self.lives.items():
            row = before[id_]
            due = row.next_attempt_at is None or row.next_attempt_at <= now
            if id_ in claimed:
                assert life.state == "pending" and due and not self._expired(life, -SLACK)
                life.state = {Confirmed: "published", Unsendable: "dead"}.get(type(receipt), "pending")
            elif life.state == "pending":
                if self._rows()[id_].state == "expired":
                    assert self._expired(life, SLACK)
                    life.state = "expired"
                else:
                    assert row.next_attempt_at is not None and row.next_attempt_at > now - timedelta(
                        seconds=SLACK
                    )
        self.messages += [
            Dispatched(fire.event_id, fire.dispatch_no, fire.celery_id, 0, "w", None) for fire in fires
        ]

    @rule(pick=st.integers(0, 99))
    def deliver(self, pick: int) -> None:
        """Any message that ever went out arrives, perhaps once more."""
        if not self.messages:
            return
        message = self.messages[pick % len(self.messages)]
        life, boot = self.lives[message.event_id], self.world.new_node(nodes.WORKER)
        key = (message.event_id, message.dispatch_no, message.celery_retry)
        may = life.is_live and message.dispatch_no == life.dispatch and key not in self.started
        answer = self.records.start(Dispatched(*key[:2], message.celery_id, message.celery_retry, "w", boot))
        if may and self._ends_unstarted(life, answer):
            return
        assert isinstance(answer, Started) == may, answer
        if isinstance(answer, Started):
            self.started.add(key)
            life.executions.append("running")
            life.state, life.running = "published", (answer.execution_id, boot, self.now)
            assert answer.attempt == len(life.executions)

    @rule(
        pick=st.integers(0, 9),
        state=st.sampled_from(["succeeded", "failed", "failed", "timed_out", "retrying"]),
    )
    def finish(self, pick: int, state: str) -> None:
        life = self._chosen(pick, lambda each: each.running is not None)
        if life is None or life.running is None:
            return
        self.records.finish(life.running[0], Outcome(ExecutionState(state)))
        if state == "succeeded":
            self._end(life, state, "done")
        elif state == "retrying" and not life.cancelled:
            self._end(life, state, "published")
            last = next(
                m for m in reversed(self.messages) if m.event_id == life.id and m.dispatch_no == life.dispatch
            )
            self.messages.append(
                Dispatched(
                    *(last.event_id, last.dispatch_no, last.celery_id), last.celery_retry + 1, "w", None
                )
            )
        elif state == "retrying":
            self._end(life, "cancelled", "cancelled")
        else:
            self._fail(life, state)

    @rule(pick=st.integers(0, 9))
    def lose(self, pick: int) -> None:
        life = self._chosen(pick, lambda each: each.running is not None)
        if life is None or life.running is None:
            return
        self.world.kill_node(life.running[1])
        self.reap()

    @rule(seconds=st.sampled_from(PASSING))
    def pass_time(self, seconds: float) -> None:
        self.now += seconds
        with writing(self.world.database) as connection:
            for table, mine in ((schedule_event, self._ours()), (task_execution, self._our_attempts())):
                values = {c.name: db_shift(c, -seconds) for c in table.c if c.name in _INSTANTS}
                connection.execute(update(table).where(mine).values(values))

    @rule()
    def reap(self) -> None:
        dead = self._dead_boots()
        reap(self.world.database, unclaimed_after=NEVER)
        rows = self._rows()
        for life in self.lives.values():
            if life.running is not None:
                if life.running[1] in dead:
                    self._lose(life)
                elif self._is_silent(life):
                    self._fail(life, "timed_out")
            if life.is_live and rows[life.id].state == "expired":
                assert self._expired(life, SLACK)
                life.state = "expired"
            elif life.is_live:
                assert not self._expired(life, -SLACK)

    @rule(pick=st.integers(0, 9))
    def cancel(self, pick: int) -> None:
        life = self._chosen(pick, lambda each: each.is_live)
        if life is None:
            return
        with writing(self.world.database) as connection:
            cancel_fires(connection, [life.id], actor="ann")
        if life.running is None:
            life.state = "cancelled"
        life.cancelled = True

    @rule(pick=st.integers(0, 9))
    def retry(self, pick: int) -> None:
        life = self._chosen(pick, lambda each: not each.is_live)
        if life is None:
            return
        try:
            with writing(self.world.database) as connection:
                retry_fires(connection, [life.id], actor="ann")
        except FireNotReady:
            assert life.state == "done" and life.executions[-1] == "succeeded"
            return
        life.state, life.failures, life.losses, life.cancelled, life.retried = "pending", 0, 0, False, True
        life.dispatch += 1

    @invariant()
    def the_database_says_what_the_model_says(self) -> None:
        rows, attempts = self._rows(), self._attempts()
        for life in self.lives.values():
            row = rows[life.id]
            assert (row.state, row.dispatch_no) == (life.state, life.dispatch), life
            assert [each.state for each in attempts.get(life.id, [])] == life.executions
            assert (row.done_at is None) == life.is_live
            assert life.failures <= self.policy.retry.attempts
            assert life.losses <= MOST_LOSSES + 1

    def teardown(self) -> None:
        """Every fire ends when whatever it waits for comes."""
        if not hasattr(self, "task_id"):
            return
        for _ in range(12):
            for life in [each for each in self.lives.values() if each.running is not None]:
                self.finish(list(self._all(lambda each: each.running is not None)).index(life), "succeeded")
            self.pass_time(90_000.0)
            self.publish(Confirmed())
            for number in range(len(self.messages)):
                self.deliver(number)
        self.reap()
        self.the_database_says_what_the_model_says()
        ended = [life for life in self.lives.values() if not life.is_live]
        with writing(self.world.database) as connection:
            connection.execute(delete(task_config).where(task_config.c.id == self.task_id))
        assert ended == list(self.lives.values())

    def _fail(self, life: Life, state: str) -> None:
        life.failures += 1
        retry = self.policy.retry
        if life.cancelled:
            self._end(life, "cancelled" if state == "timed_out" else state, "cancelled")
        elif life.failures >= retry.attempts:
            self._end(life, state, "done")
        else:
            doubled = 2 ** (life.failures - 1) if retry.backoff is Backoff.EXPONENTIAL else 1
            longest = min(retry.delay.total_seconds() * doubled, retry.max_delay.total_seconds())
            self._end(life, "retrying", "pending")
            life.dispatch += 1
            self._waits(life, longest / 2 if retry.jitter else longest, longest)

    def _lose(self, life: Life) -> None:
        life.losses += 1
        if life.cancelled:
            self._end(life, "lost", "cancelled")
        elif self.policy.delivery is Delivery.AT_MOST_ONCE:
            self._end(life, "lost", "done")
        elif life.losses > MOST_LOSSES:
            self._end(life, "lost", "dead")
        else:
            self._end(life, "lost", "pending")
            life.dispatch += 1
            self._waits(life, AFTER_LOSS, AFTER_LOSS)

    def _end(self, life: Life, execution: str, state: str) -> None:
        life.executions[-1], life.state, life.running = execution, state, None

    def _waits(self, life: Life, least: float, most: float) -> None:
        """The next attempt lies in the window that the policy gives."""
        wait = (self._rows()[life.id].next_attempt_at - self._database_now()).total_seconds()
        assert least - SLACK <= wait <= most, (wait, least, most)

    def _ends_unstarted(self, life: Life, answer: Any) -> bool:
        if self._expired(life, -SLACK):
            assert not isinstance(answer, Started)
        if isinstance(answer, Started) or not self._expired(life, SLACK):
            return False
        life.state = "expired"
        return True

    def _expired(self, life: Life, slack: float) -> bool:
        """Say whether the fire's time to start is over, give or take *slack* seconds."""
        expires = self.policy.expires
        if expires is None or life.executions or life.retried:
            return False
        return self.now - life.born + 1.0 + slack >= expires.total_seconds()

    def _is_silent(self, life: Life) -> bool:
        timeout = self.policy.timeout
        if timeout is None or life.running is None:
            return False
        return self.now - life.running[2] > timeout.total_seconds() + HARD_AFTER + SILENCE

    def _chosen(self, pick: int, fits: Any) -> Life | None:
        fitting = self._all(fits)
        return fitting[pick % len(fitting)] if fitting else None

    def _all(self, fits: Any) -> list[Life]:
        return [life for life in self.lives.values() if fits(life)]

    def _ours(self) -> Any:
        return schedule_event.c.task_config_id == self.task_id

    def _our_attempts(self) -> Any:
        return task_execution.c.task_config_id == self.task_id

    def _rows(self) -> dict[UUID, Any]:
        with reading(self.world.database) as connection:
            return {row.id: row for row in connection.execute(select(schedule_event).where(self._ours()))}

    def _attempts(self) -> dict[UUID, list[Any]]:
        found: dict[UUID, list[Any]] = {}
        query = select(task_execution).where(self._our_attempts()).order_by(task_execution.c.attempt)
        with reading(self.world.database) as connection:
            for row in connection.execute(query):
                found.setdefault(row.schedule_event_id, []).append(row)
        return found

    def _dead_boots(self) -> set[UUID]:
        with reading(self.world.database) as connection:
            alive = {row.id for row in nodes.known_nodes(connection, nodes.WORKER, alive_only=True)}
        return {life.running[1] for life in self.lives.values() if life.running} - alive

    def _database_now(self) -> datetime:
        with reading(self.world.database) as connection:
            return database_time(connection)


_INSTANTS = {
    "fire_at", "created_at", "published_at", "done_at", "next_attempt_at", "expires_at",
    "queued_at", "started_at", "finished_at", "deadline_at",
}  # fmt: skip


def _hasty(connection: Any, record: Any) -> None:
    connection.execute("PRAGMA synchronous = OFF")  # the disk is not what these laws are about


def test_whatever_happens_to_a_fire_its_policies_decide_what_becomes_of_it(world: World) -> None:
    few = world.database.dialect.name == "postgresql"
    if not few:
        event.listen(world.database, "connect", _hasty)
        world.database.dispose()
    run_state_machine_as_test(
        lambda: Attempts(world),
        settings=settings(
            max_examples=4 if few else 20,
            stateful_step_count=25,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
