"""A snapshot stands for the database: whatever a plan asks, both answer the same."""

import itertools
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from schedule_strategies import schedules
from stored import World
from taskcfg.errors import InvalidSnapshot, NameTaken
from taskcfg.problems import Position
from taskcfg.reconcile.guard import Limits
from taskcfg.reconcile.outlook import outlooks
from taskcfg.reconcile.plan_document import plan_document
from taskcfg.reconcile.plan_markdown import plan_markdown
from taskcfg.reconcile.snapshot import Snapshot, read_snapshot, snapshot_document
from taskcfg.spec.pause import Pause
from taskcfg.spec.policy import CatchUp, Policy
from taskcfg.spec.task import TaskSpec, digest_of
from taskcfg.store.database import applying, reading
from taskcfg.store.live_state import take_snapshot
from taskcfg.store.pauses import pause_tasks
from taskcfg.sync import Approval, Desired, Planned, apply_desired, make_plan, plan_against
from taskcfg.testing import make_spec

NOW = datetime(2026, 10, 22, 17, tzinfo=UTC)
NAMES = ("a", "b.c", "ä", "d-e")
NUMBERS = itertools.count()

words = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=5)
values = st.recursive(st.none() | st.booleans() | st.integers(0, 10**9) | words, st.lists, max_leaves=3)
specs = st.builds(
    make_spec,
    schedule=schedules,
    timezone=st.sampled_from(["UTC", "Europe/London"]),
    description=st.none() | words,
    params=st.dictionaries(words, values, max_size=2),
    labels=st.dictionaries(st.sampled_from("xy"), words, max_size=2),
    enabled=st.booleans(),
    protect=st.booleans(),
    policy=st.builds(
        Policy, timeout=st.none() | st.just(timedelta(minutes=3)), catch_up=st.sampled_from(CatchUp)
    ),
    position=st.none() | st.builds(Position, st.just("tasks.d/a.yaml"), st.integers(1, 99)),
)
task_sets = st.dictionaries(st.sampled_from(NAMES), specs, max_size=4)


def desired(
    source: str, tasks: dict[str, TaskSpec], *, folder: str = "tasks.d", subset: bool = False
) -> Desired:
    renamed = {f"{source}.{name}": replace(spec, name=f"{source}.{name}") for name, spec in tasks.items()}
    return Desired(renamed, 1, "digest", folder, only=("a.yaml",) if subset else None)


def snapshot_of(world: World, source: str) -> Snapshot:
    """Return what is read from the text that was written of the database."""
    with reading(world.database) as connection:
        text = json.dumps(snapshot_document(take_snapshot(connection, source, NOW)), indent=2)
    return read_snapshot(text, "snapshot.json")


def shown(planned: Planned, wanted: Desired) -> list[object]:
    """Return all that people and programs see of a plan."""
    fires = outlooks(planned.plan, NOW)
    document = plan_document(
        planned.plan, wanted.specs, timestamp=NOW, base_revision=planned.base_revision, fires=fires
    )
    return [document, plan_markdown(planned.plan, NOW, fires)]


@settings(max_examples=20, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_a_plan_against_it_is_the_plan_against_the_database(world: World, data: st.DataObject) -> None:
    source = f"s{next(NUMBERS)}"
    for tasks in data.draw(st.lists(task_sets, max_size=3)):  # what is gone again is retired
        limits = Limits(9, allow_empty=True, ignore_protect=frozenset(f"{source}.{name}" for name in NAMES))
        apply_desired(world.database, desired(source, tasks), source, Approval("tester", limits))
    ids = {name: row.id for name, row in world.tasks().items() if row.source == source and not row.retired_at}
    for name in data.draw(st.lists(st.sampled_from(sorted(ids)), unique=True)) if ids else ():
        with applying(world.database, 5) as connection:
            until = data.draw(st.none() | st.just(NOW + timedelta(days=900)))
            pause_tasks(connection, [ids[name]], Pause("oncall", "INC-1", NOW, until, CatchUp.LATEST))
    for name in data.draw(st.lists(st.sampled_from(sorted(ids)), unique=True)) if ids else ():
        world.change_task(name, **data.draw(st.sampled_from([{"owner": "me"}, {"policy": {"nonsense": 1}}])))

    snapshot = snapshot_of(world, source)
    live = {name.removeprefix(f"{source}.") for name in ids}
    for subset in (False, True):
        tasks = data.draw(task_sets)
        pairs = zip(sorted(live - tasks.keys()), sorted(tasks.keys() - live), strict=False)
        for old, new in pairs if data.draw(st.booleans()) else ():
            tasks[new] = replace(tasks[new], renamed_from=f"{source}.{old}")
        folder = data.draw(st.sampled_from(["tasks.d", "x"]))
        wanted = desired(source, tasks, folder=folder, subset=subset)
        with_database = make_plan(world.database, wanted, source)
        without = plan_against(snapshot, wanted)

        assert without == replace(with_database, as_of=NOW)
        assert without.plan.fingerprint == with_database.plan.fingerprint
        assert shown(without, wanted) == shown(with_database, wanted)


def test_names_of_other_sources_are_taken_there_too(world: World) -> None:
    world.add(make_spec("s.theirs", position=Position("tasks.d/b.yaml", 7)), source="other")
    wanted = desired("s", {"theirs": make_spec()})
    snapshot = snapshot_of(world, "s")

    with pytest.raises(NameTaken) as with_database:
        make_plan(world.database, wanted, "s")
    with pytest.raises(NameTaken) as without:
        plan_against(snapshot, wanted)

    assert str(without.value) == str(with_database.value)
    assert "tasks.d/b.yaml:7" in str(without.value)


def test_what_was_changed_after_it_was_written_is_refused(world: World) -> None:
    world.add(make_spec("a"))
    with reading(world.database) as connection:
        whole = json.dumps(snapshot_document(take_snapshot(connection, "main", NOW)))

    for text, reason in {
        whole.replace('"version": 1', '"version": 2'): "damaged",
        whole[:-20]: "no JSON",
        whole.replace('"1.0"', '"9.0"'): "its format is '9.0', and this version reads '1.0'",
        "[]": "it is no snapshot",
        '{"format_version": "1.0"}': "it is no snapshot",
        '{"format_version": "1.0", "kind": "snapshot"}': "damaged",
    }.items():
        with pytest.raises(InvalidSnapshot, match="cannot be planned against") as refused:
            read_snapshot(text, "x.json")
        assert reason in str(refused.value), text[:80]


@given(st.data())
@settings(max_examples=60)
def test_whatever_a_file_says_it_is_read_or_refused(data: st.DataObject) -> None:
    kinds = (
        st.none() | st.integers() | st.text(max_size=3) | st.lists(st.none(), max_size=1) | st.just({"a": {}})
    )
    keys = [
        "timestamp",
        "environment",
        "source",
        "database",
        "tasks",
        "calendars",
        "retired",
        "paused",
        "other_sources",
    ]
    document = {"format_version": "1.0", "kind": "snapshot", **{key: data.draw(kinds) for key in keys}}
    text = json.dumps({**document, "digest": digest_of(document)})

    with pytest.raises(InvalidSnapshot):
        read_snapshot(text, "x.json")
