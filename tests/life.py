"""A history that the engine itself makes: time passes, fires run, fail, die and are edited."""

from __future__ import annotations

import random
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import uuid4

from sqlalchemy import Engine

from database_clock import clock_of
from stored import World, delivered
from taskcfg.errors import FireNotReady
from taskcfg.reconcile.guard import Limits
from taskcfg.spec.audit.verdict import Verdict
from taskcfg.spec.fires import ExecutionState, Outcome, Refused, Started
from taskcfg.spec.pause import Pause
from taskcfg.spec.policy import CatchUp, Delivery, Overlap, OverlapMode, Policy, Retry
from taskcfg.spec.schedule import EPOCH, Cron, Every, Manual
from taskcfg.spec.task import TaskSpec
from taskcfg.store import nodes, task_configs
from taskcfg.store.audit import audit_books
from taskcfg.store.database import database_time, reading, writing
from taskcfg.store.executions import ExecutionRecords
from taskcfg.store.interventions import cancel_fires, retry_fires
from taskcfg.store.late import Patience
from taskcfg.store.pauses import end_pauses, pause_tasks, resume_tasks
from taskcfg.store.purging import Old, purge_old
from taskcfg.store.reaper import reap
from taskcfg.store.requests import request_run, runnable
from taskcfg.store.turns import take_turns
from taskcfg.sync import Approval, Desired, apply_desired
from taskcfg.testing import make_spec

MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
ALLOW = Overlap(OverlapMode.ALLOW)
LONG = timedelta(days=3650)

SCHEDULES = (
    Every(10 * MINUTE),
    Every(timedelta(hours=3)),
    Cron("*/30 * * * *"),
    Cron("0 * * * 1-5"),
    Manual(),
)
POLICIES = (
    Policy(overlap=ALLOW, catch_up=CatchUp.NONE),
    Policy(overlap=ALLOW, catch_up=CatchUp.ALL, retry=Retry(2, MINUTE)),
    Policy(catch_up=CatchUp.LATEST, delivery=Delivery.AT_MOST_ONCE),
    Policy(overlap=ALLOW, jitter=7 * MINUTE, expires=HOUR),
    Policy(overlap=Overlap(OverlapMode.WAIT), retry=Retry(3, MINUTE)),
)
OUTCOMES = (
    Outcome(ExecutionState.SUCCEEDED, {"rows": 1}),
    Outcome(ExecutionState.SUCCEEDED, {"rows": 2}),
    Outcome(ExecutionState.FAILED, error="no"),
    Outcome(ExecutionState.TIMED_OUT, error="late"),
    Outcome(ExecutionState.RETRYING, error="again"),
    Outcome(ExecutionState.LOST, error="its worker died"),
)


class Life:
    """A world, its clock and its files. Every act is one that the engine, an operator or a worker does."""

    def __init__(self, database: Engine, chance: random.Random) -> None:
        self.clock = clock_of(database)
        self.database = database
        self.world = World(database)
        self.chance = chance
        self.specs: dict[str, TaskSpec] = {}
        self.moved = timedelta(0)
        self.boot = uuid4()
        self.running: list[tuple[Any, Started]] = []
        self.records = ExecutionRecords(database)
        self.sent: Sequence[Any] = ()

    def pass_time(self, time: timedelta) -> None:
        self.moved += time
        self.clock.set(self.moved)
        self._keep_alive()

    def pass_to_next(self, interval: timedelta, times: int = 1) -> None:
        """Let time pass until just after the next (or a later) multiple of *interval*."""
        with reading(self.database) as connection:
            now = database_time(connection)
        self.pass_time(times * interval - (now - EPOCH) % interval + timedelta(seconds=2))

    def declare(self, *specs: TaskSpec) -> None:
        """Apply *specs* and what is declared already."""
        self.specs |= {spec.name: spec for spec in specs}
        self.apply()

    def apply(self) -> None:
        desired = Desired(dict(self.specs), 1, "digest", "tasks.d")
        limits = Limits(max_delete=99, allow_empty=True)
        apply_desired(self.database, desired, "main", Approval("tester", limits))

    def edit(self) -> None:
        """Change a task, delete one, give it another name, or declare one (again)."""
        name, other = (f"t{number}" for number in self.chance.sample(range(4), 2))
        if name in self.specs and self.chance.random() < 0.2:
            del self.specs[name]
        elif name in self.specs and self.chance.random() < 0.3:
            self._rename(name, other)
        else:
            schedule, policy = self.chance.choice(SCHEDULES), self.chance.choice(POLICIES)
            spec = make_spec(name, schedule=schedule, policy=policy, enabled=self.chance.random() < 0.9)
            old = self.specs.get(name)
            if old is not None and self.chance.random() < 0.3:
                spec = replace(old, description=str(self.chance.random()))
            self.specs[name] = spec
        self.apply()

    def _rename(self, name: str, other: str) -> None:
        """Give the task *name* the name *other*; where that is another's, they swap."""
        swapped = self.specs.pop(other, None)
        self.specs[other] = replace(self.specs.pop(name), name=other, renamed_from=name)
        if swapped is not None:
            self.specs[name] = replace(swapped, name=name, renamed_from=other)

    def fire(self) -> None:
        """Make passes until nothing is due, and publish most of what is pending."""
        end_pauses(self.database)
        fires = [fire for _ in range(20) for fire in self.world.make_pass()]
        take_turns(self.database)
        self.world.forget_nodes()
        claimed = self.world.outbox.claim(1_000, held={fire.event_id for fire in fires})
        self._keep_alive()
        self.sent = [*{fire.event_id: fire for fire in (*fires, *claimed)}.values()]
        self.world.publish(self.sent)

    def work(self) -> None:
        """Let messages arrive, some of them twice, and some of the running attempts end."""
        for fire in self.sent:
            for _ in range(self.chance.choice((0, 1, 1, 1, 2))):
                self.deliver(fire, 0)
        self.chance.shuffle(self.running)
        ending = self.running[: self.chance.randrange(len(self.running) + 1)]
        self.running = self.running[len(ending) :]
        for dispatched, started in ending:
            outcome = self.chance.choice(OUTCOMES)
            self.records.finish(started.execution_id, outcome)
            if outcome.state is ExecutionState.RETRYING:
                self.deliver(dispatched, dispatched.celery_retry + 1)

    def deliver(self, message: Any, celery_retry: int) -> None:
        """Let the worker get *message*, a fire that was sent or one that it got before."""
        boot = self.boot
        if hasattr(message, "celery_retry"):
            dispatched = replace(message, celery_retry=celery_retry)
        else:
            dispatched = delivered(message, boot=boot, celery_retry=celery_retry)
        started = self.records.start(dispatched)
        if not isinstance(started, Refused):
            self.running.append((dispatched, started))

    def die(self) -> None:
        """The worker dies with all it runs, and is found dead."""
        self.end_worker()
        self.running = []
        reap(self.database)
        self.boot = uuid4()
        self._keep_alive()

    def end_worker(self) -> None:
        nodes.end(self.database, self.boot)

    def intervene(self) -> None:
        """An operator cancels, retries, runs, pauses or resumes something."""
        act = self.chance.choice(("cancel", "retry", "run", "pause", "resume"))
        names = sorted(self.specs)
        if not names:
            return
        name = self.chance.choice(names)
        with writing(self.database) as connection:
            ids = [task_configs.live_tasks(connection, "main")[name].id]
            now = database_time(connection)
            if act == "pause":
                until = self.chance.choice((None, now + 2 * HOUR))
                missed = self.chance.choice(tuple(CatchUp))
                pause_tasks(connection, ids, Pause("tester", "why not", now, until, missed))
            elif act == "resume":
                resume_tasks(connection, ids, self.chance.choice((None, *CatchUp)))
            elif act == "run":
                request_run(connection, runnable(connection, [name]), actor="tester", request_id=str(uuid4()))
        if act in ("cancel", "retry"):
            self._to_one_fire(cancel_fires if act == "cancel" else retry_fires)

    def _to_one_fire(self, act: Any) -> None:
        events = self.world.events()
        if events:
            with suppress(FireNotReady), writing(self.database) as connection:
                act(connection, [self.chance.choice(events).id], actor="tester")

    def purge(self) -> None:
        """Old history goes, by age or by number."""
        old = self.chance.choice((Old(age=6 * HOUR), Old(keep=5), Old(age=3 * HOUR, keep=4)))
        for _ in purge_old(self.database, old):
            continue

    def audit(self, age: timedelta = LONG) -> Verdict:
        return audit_books(self.database, age, Patience(LONG, LONG)).verdict

    def live(self, acts: int) -> None:
        """Do something at random, again and again."""
        for _ in range(acts):
            act = self.chance.choice(
                (self.edit, self.fire, self.fire, self.work, self.work, self.die, self.intervene, self.purge)
            )
            act()
            self.pass_time(self.chance.choice((timedelta(seconds=20), 9 * MINUTE, HOUR, 5 * HOUR)))

    def _keep_alive(self) -> None:
        for id_, kind in ((self.world.node, nodes.SCHEDULER), (self.boot, nodes.WORKER)):
            nodes.register(self.database, id_, kind=kind, name="n", host="h", pid=1, lease=LONG, queues=[])
