"""The laws of overlap, whatever happens in whichever order: a state machine over the real store."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from sqlalchemy import Connection, Row, delete, update

from stored import World, delivered
from taskcfg.errors import FireNotReady
from taskcfg.spec.advance import advance
from taskcfg.spec.fires import ExecutionState, Outcome, Refused, Started
from taskcfg.spec.overlap import REPLACED
from taskcfg.spec.pause import Pause
from taskcfg.spec.policy import CatchUp, Overlap, OverlapMode, Policy, Retry
from taskcfg.spec.schedule import Every
from taskcfg.spec.task import TaskSpec
from taskcfg.store.columns import in_seconds
from taskcfg.store.database import applying, database_time, reading, writing
from taskcfg.store.executions import ExecutionRecords
from taskcfg.store.interventions import attempts_to_interrupt, cancel_fires, retry_fires
from taskcfg.store.pauses import pause_tasks, resume_tasks
from taskcfg.store.reaper import reap
from taskcfg.store.requests import request_run, runnable
from taskcfg.store.tables import schedule_event, task_config
from taskcfg.store.task_configs import update_tasks
from taskcfg.store.turns import take_turns, take_turns_of
from taskcfg.testing import make_spec

OVERLAPS = {
    "skip": Overlap(OverlapMode.SKIP),
    "wait": Overlap(OverlapMode.WAIT),
    "allow": Overlap(OverlapMode.ALLOW),
    "two": Overlap(OverlapMode.ALLOW, 2),
    "replace": Overlap(OverlapMode.REPLACE),
}
OUTCOMES = [
    Outcome(state)
    for state in (
        ExecutionState.SUCCEEDED,
        ExecutionState.FAILED,
        ExecutionState.TIMED_OUT,
        ExecutionState.LOST,
    )
]
GOING = ("pending", "published")
LIVE = (*GOING, "waiting")
ANY = st.integers(0, 99)
"""Which of the fires that a rule may choose from."""

numbers = itertools.count()


class Crash(Exception):
    """The process dies before it commits."""


class Machine(RuleBasedStateMachine):
    """One task, everything that may happen to its fires, and what must hold after each step."""

    def __init__(self, world: World, word: str) -> None:
        super().__init__()
        self.world = world
        self.word = word
        self.name = f"task-{next(numbers)}"
        self.id = world.add(self._spec())[self.name]
        self.records = ExecutionRecords(world.database)
        self.running: dict[UUID, UUID] = {}
        self.nominals: set[datetime] = set()
        self.ended: dict[UUID, str] = {}
        self.paused = False
        self.most = 1

    def _spec(self) -> TaskSpec:
        policy = Policy(overlap=OVERLAPS[self.word], retry=Retry(attempts=2), expires=timedelta(hours=1))
        return make_spec(self.name, schedule=Every(timedelta(seconds=2)), policy=policy)

    def fires(self, *states: str) -> list[Row[Any]]:
        found = self.world.events()
        return [event for event in found if not states or event.state in states]

    def chosen(self, which: int, fires: list[Row[Any]]) -> Row[Any] | None:
        return fires[which % len(fires)] if fires else None

    @rule(late=st.sampled_from([0.1, 0.1, 0.1, 5.0]))
    def fires_of_the_schedule(self, late: float) -> None:
        self.world.change_task(self.name, last_nominal_at=None)
        self.world.let_come_due(late=timedelta(seconds=late))
        before = self.fires(*LIVE)
        known = {event.id for event in self.fires()}
        found = self.world.firing.begin_pass(10)
        advances = [advance(task, found.now) for task in found.due]
        told = [fire.nominal_at for each in advances if each.decision for fire in each.decision.fires]
        self.nominals.update(told)
        found.commit(advances)

        new = [event.state for event in self.fires() if event.id not in known]
        assert bool(new) != self.paused
        assert new == self._expected(before, len(told))

    def _expected(self, before: list[Row[Any]], number: int) -> list[str]:
        """Return the states of *number* fires that come when *before* are live, in words of the contract."""
        waits = any(event.state == "waiting" and event.kind == "scheduled" for event in before)
        free = len(before) == 0
        if not number:
            return []
        match self.word:
            case "allow":
                return ["pending"] * number
            case "two":
                go = min(max(2 - len(before), 0), number)
                return ["pending"] * go + ["skipped"] * (number - go)
            case "replace":
                runs = any(event.id in self.running for event in before)
                return ["skipped"] * (number - 1) + ["waiting" if runs else "pending"]
            case "wait":
                states = (["pending"] if free else []) + ([] if waits else ["waiting"])
                return (states + ["skipped"] * number)[:number]
            case _:
                return (["pending"] if free else ["skipped"]) + ["skipped"] * (number - 1)

    @rule()
    def somebody_runs_it(self) -> None:
        with writing(self.world.database) as connection:
            self._request(connection)

    def _request(self, connection: Connection) -> None:
        live = self.fires(*LIVE)
        tasks = runnable(connection, [self.name])
        (fire,) = request_run(connection, tasks, actor="ann", request_id=uuid4().hex)
        queues = self.word == "wait" and bool(live)
        replaces = self.word == "replace" and any(event.id in self.running for event in live)
        assert fire.state == ("waiting" if queues or replaces else "pending")

    @rule(which=ANY)
    def a_message_arrives(self, which: int) -> None:
        event = self.chosen(which, [event for event in self.fires() if event.message is not None])
        if event is None:
            return
        found = self.records.start(delivered(event))

        may_start = event.state in GOING and event.id not in self.running
        assert isinstance(found, Started if may_start else Refused)
        if isinstance(found, Started):
            self.running[event.id] = found.execution_id

    @precondition(lambda self: self.running)
    @rule(which=ANY, outcome=st.sampled_from(OUTCOMES))
    def an_attempt_ends(self, which: int, outcome: Outcome) -> None:
        event_id = sorted(self.running)[which % len(self.running)]
        asked = self.world.event(event_id).cancel_requested_at is not None
        self.records.finish(self.running.pop(event_id), outcome)

        if asked:
            succeeded = outcome.state is ExecutionState.SUCCEEDED
            assert self.world.event(event_id).state == ("done" if succeeded else "cancelled")

    @rule(which=ANY)
    def somebody_retries_one(self, which: int) -> None:
        event = self.chosen(which, [event for event in self.fires() if event.state not in LIVE])
        if event is None:
            return
        with suppress(FireNotReady), writing(self.world.database) as connection:
            retry_fires(connection, [event.id], actor="ann")
            del self.ended[event.id]

    @rule(which=ANY)
    def somebody_cancels_one(self, which: int) -> None:
        event = self.chosen(which, self.fires(*LIVE))
        if event is not None:
            with writing(self.world.database) as connection:
                cancel_fires(connection, [event.id], actor="ann")
            asked = event.id in self.running
            assert self.world.event(event.id).state == ("published" if asked else "cancelled")

    @rule(which=ANY)
    def one_waits_too_long(self, which: int) -> None:
        event = self.chosen(which, [event for event in self.fires(*LIVE) if not event.attempts])
        if event is not None and event.expires_at is not None:
            with writing(self.world.database) as connection:
                chosen = update(schedule_event).where(schedule_event.c.id == event.id)
                connection.execute(chosen.values(expires_at=in_seconds(-1)))
            reap(self.world.database)
            assert self.world.event(event.id).state == "expired"

    @rule(word=st.sampled_from(sorted(OVERLAPS)))
    def the_policy_is_edited(self, word: str) -> None:
        self.word = word
        self.most = max(1, len(self.fires(*GOING)))
        with applying(self.world.database, 30) as connection:
            update_tasks(connection, {self.id: self._spec()}, "main", None)

    @rule()
    def it_is_paused_or_resumed(self) -> None:
        live = {event.id for event in self.fires(*LIVE)}
        with writing(self.world.database) as connection:
            if self.paused:
                resume_tasks(connection, [self.id], CatchUp.NONE)
            else:
                pause_tasks(connection, [self.id], Pause("ann", "tired", database_time(connection)))
        self.paused = not self.paused
        self.nominals |= {event.nominal_at for event in self.fires() if event.dedupe_key.startswith("s:")}
        assert live <= {event.id for event in self.fires(*LIVE)} | self._replaced()

    def _replaced(self) -> set[UUID]:
        return {event.id for event in self.fires("cancelled") if event.reason == REPLACED}

    @rule()
    def turns_are_taken(self) -> None:
        waiting = self.fires("waiting")
        going = self.fires(*GOING)
        take_turns(self.world.database)

        went = [event.id for event in waiting if self.world.event(event.id).state == "pending"]
        if not going or self.word == "allow":
            assert bool(went) == bool(waiting)
        if self.word == "wait":
            in_order = sorted(waiting, key=lambda event: (event.fire_at, event.id))
            assert went == [event.id for event in in_order[: 0 if going else 1]]

    @rule(what=st.sampled_from(["run", "pass", "turn"]))
    def somebody_dies_before_the_commit(self, what: str) -> None:
        before = [tuple(event) for event in self.fires()]
        with suppress(Crash):
            self._crash_in(what)
        assert [tuple(event) for event in self.fires()] == before

    def _crash_in(self, what: str) -> None:
        if what == "pass":
            self.world.firing.begin_pass(10).abandon()
            return
        with writing(self.world.database) as connection:
            if what == "run":
                self._request(connection)
            else:
                take_turns_of(connection, {self.id: OVERLAPS[self.word]})
            raise Crash

    @invariant()
    def no_more_go_than_the_policy_lets(self) -> None:
        going = len(self.fires(*GOING))
        if self.word in ("wait", "replace"):
            assert going <= self.most
            self.most = max(1, min(self.most, going))

    @invariant()
    def every_nominal_time_has_one_fire(self) -> None:
        found = [event.nominal_at for event in self.fires() if event.dedupe_key.startswith("s:")]
        assert sorted(found) == sorted(self.nominals)

    @invariant()
    def what_has_ended_stays_so(self) -> None:
        ended = {event.id: event.state for event in self.fires() if event.state not in LIVE}
        assert self.ended.items() <= ended.items()
        self.ended = ended

    @invariant()
    def what_runs_is_live_and_what_waits_does_not_run(self) -> None:
        standing = {event.id: event.state for event in self.fires()}
        assert {standing[id_] for id_ in self.running} <= {"published"}
        running = [row for row in self.world.executions() if row.state == "running"]
        assert {row.schedule_event_id for row in running} == set(self.running)

    @invariant()
    def what_is_replaced_is_cancelled_or_being_stopped(self) -> None:
        replaced = [event for event in self.fires() if event.reason == REPLACED and event.state in LIVE]
        asked = {each.celery_id for each in attempts_to_interrupt(self.world.database)}
        assert {event.celery_id for event in replaced} <= asked

    def teardown(self) -> None:
        """Whatever happened: when attempts end and turns are taken, nothing is left waiting."""
        try:
            for _ in range(4 * len(self.fires()) + 1):
                self._let_end()
            assert self.fires(*LIVE) == []
        finally:
            with writing(self.world.database) as connection:
                connection.execute(delete(task_config).where(task_config.c.id == self.id))

    def _let_end(self) -> None:
        for event in self.fires(*GOING):
            if event.id not in self.running:
                found = self.records.start(delivered(event))
                assert isinstance(found, Started)
                self.running[event.id] = found.execution_id
        for execution in self.running.values():
            self.records.finish(execution, Outcome(ExecutionState.SUCCEEDED))
        self.running.clear()
        take_turns(self.world.database)


def check(world: World, word: str, examples: int) -> None:
    make: Callable[[], RuleBasedStateMachine] = lambda: Machine(world, word)  # noqa: E731 Hypothesis calls it
    limits = settings(
        max_examples=examples, stateful_step_count=25, suppress_health_check=list(HealthCheck), deadline=None
    )
    run_state_machine_as_test(make, settings=limits)


@pytest.mark.parametrize("word", sorted(OVERLAPS))
def test_the_laws_of_overlap_hold_in_whatever_order_things_happen(world: World, word: str) -> None:
    with reading(world.database) as connection:
        local = connection.dialect.name == "sqlite"

    check(world, word, 20 if local else 4)
