"""What holds of every plan and apply, whatever is declared and whatever goes on meanwhile."""

import random
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import func, select

from stored import World
from taskcfg.reconcile.guard import Limits
from taskcfg.spec.policy import CatchUp, Overlap, OverlapMode, Policy
from taskcfg.spec.schedule import Cron, Every, Manual
from taskcfg.spec.task import TaskSpec
from taskcfg.store.audit import audit_books
from taskcfg.store.database import reading
from taskcfg.store.late import Patience
from taskcfg.store.live_state import StoredState
from taskcfg.store.tables import schedule_event
from taskcfg.sync import Applied, Approval, Desired, apply_desired, make_plan
from taskcfg.testing import make_spec

SECOND, HOUR = timedelta(seconds=1), timedelta(hours=1)
ANYTHING = Limits(max_delete=1000, allow_empty=True)
NAMES = "abcd"
EVERY_ONE = Policy(overlap=Overlap(OverlapMode.ALLOW), catch_up=CatchUp.ALL)
on_one_world = settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)

specs = st.builds(
    make_spec,
    st.sampled_from(NAMES),
    schedule=st.sampled_from((Every(HOUR), Every(2 * HOUR), Cron("0 3 * * *"), Manual())),
    params=st.sampled_from(({}, {"a": 1}, {"a": 1.5, "b": [None, "é"]})),
    policy=st.sampled_from((Policy(), EVERY_ONE)),
    labels=st.sampled_from(({}, {"team": "web"})),
    enabled=st.booleans(),
)
declarations = st.lists(specs, max_size=4, unique_by=lambda spec: spec.name)


def desired(declared: Sequence[TaskSpec]) -> Desired:
    return Desired({spec.name: spec for spec in declared}, 1, "digest", "tasks.d")


def apply(world: World, declared: Sequence[TaskSpec], actor: str = "tester") -> Applied:
    return apply_desired(world.database, desired(declared), "main", Approval(actor, ANYTHING))


def live(world: World) -> dict[str, dict[str, Any]]:
    """The documents of the live tasks, by name."""
    with reading(world.database) as connection:
        state = StoredState(connection, "main")
        rows = state.live_tasks()
        found = state.specs_of([row.id for row in rows.values()])
        return {name: found[row.id].document() for name, row in rows.items()}


def documents(declared: Sequence[TaskSpec]) -> dict[str, dict[str, Any]]:
    return {spec.name: spec.document() for spec in declared}


@on_one_world
@given(declared=declarations)
def test_an_apply_does_what_plan_said_and_reaches_what_is_declared(
    world: World, declared: list[TaskSpec]
) -> None:
    planned = make_plan(world.database, desired(declared), "main").plan

    applied = apply(world, declared)

    assert applied.plan.fingerprint == planned.fingerprint
    assert live(world) == documents(declared)
    again = make_plan(world.database, desired(list(reversed(declared))), "main").plan
    assert not again.has_changes
    assert apply(world, declared).revision is None


@on_one_world
@given(first=declarations, one=declarations, other=declarations)
def test_two_applies_at_once_equal_one_after_the_other(
    world: World, first: list[TaskSpec], one: list[TaskSpec], other: list[TaskSpec]
) -> None:
    apply(world, first)
    done: dict[str, Applied] = {}

    def at_once(actor: str, declared: list[TaskSpec]) -> None:
        done[actor] = apply(world, declared, actor)

    threads = [threading.Thread(target=at_once, args=args) for args in (("one", one), ("other", other))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    after = live(world)
    assert after in (documents(one), documents(other))
    serially = []
    for order in ((one, other), (other, one)):
        apply(world, first)
        serially.append(sorted(len(apply(world, declared).plan.changes) for declared in order))
    assert sorted(len(applied.plan.changes) for applied in done.values()) in serially


@contextmanager
def firing_without_a_pause(world: World) -> Iterator[None]:
    """Passes are made all the time, by a thread of its own."""
    over, failed = threading.Event(), []

    def fire() -> None:
        try:
            while not over.is_set():
                world.make_pass()
        except Exception as error:  # noqa: BLE001 raised below, in the test's own thread
            failed.append(error)

    thread = threading.Thread(target=fire)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
    assert failed == []


def edited(declared: Sequence[TaskSpec], chance: random.Random) -> list[TaskSpec]:
    """Return *declared* with one task changed, taken away, added, or two of them with each other's name."""
    tasks = {spec.name: replace(spec, renamed_from=None) for spec in declared}
    name, other = chance.sample(NAMES, 2)
    match chance.randrange(6):
        case 0 | 5:
            tasks[name] = make_spec(name, schedule=Every(chance.choice((1, 2)) * SECOND), policy=EVERY_ONE)
        case 1 if name in tasks:
            tasks[name] = replace(tasks[name], description=str(chance.random()))
        case 2 if name in tasks:
            tasks[name] = replace(tasks[name], enabled=not tasks[name].enabled)
        case 3:
            tasks.pop(name, None)
        case 4 if name in tasks and other in tasks:
            one, two = tasks[name], tasks[other]
            tasks[name] = replace(two, name=name, renamed_from=other)
            tasks[other] = replace(one, name=other, renamed_from=name)
        case _:
            pass
    return list(tasks.values())


@pytest.mark.parametrize("seed", range(1))
def test_no_apply_at_whatever_instant_loses_or_doubles_a_fire(world: World, seed: int) -> None:
    chance = random.Random(seed)
    declared = [make_spec(name, schedule=Every(SECOND), policy=EVERY_ONE) for name in NAMES]
    apply(world, declared)
    revisions = 0

    with firing_without_a_pause(world):
        until = time.monotonic() + 6
        while time.monotonic() < until:
            declared = edited(declared, chance)
            revisions += apply(world, declared).revision is not None
            time.sleep(chance.random() / 5)
    world.make_pass()

    patient = Patience(timedelta(days=1), timedelta(days=1))
    verdict = audit_books(world.database, timedelta(days=1), patient).verdict
    assert [str(finding) for finding in verdict.findings] == []
    with reading(world.database) as connection:
        fires = connection.scalar(select(func.count()).select_from(schedule_event))
    assert revisions > 10 and (fires or 0) > 6
