"""Renames on real databases: the row, its history and its pause stay, and no fire is lost or doubled."""

import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from stored import World
from taskcfg.reconcile.describe import plan_lines
from taskcfg.reconcile.guard import Limits
from taskcfg.reconcile.plan import Rename
from taskcfg.reconcile.saved_plan import read_saved_plan, saved_document
from taskcfg.spec.fields import InvalidValue, task_name
from taskcfg.spec.policy import CatchUp, Policy
from taskcfg.spec.schedule import Cron, Every
from taskcfg.spec.task import TaskSpec
from taskcfg.store import task_configs
from taskcfg.store.database import reading
from taskcfg.store.told_changes import told_changes
from taskcfg.sync import Applied, Approval, Desired, apply_desired, make_plan
from taskcfg.testing import make_spec

ANYTHING = Limits(max_delete=1000, allow_empty=True)
MINUTE = timedelta(minutes=1)
LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)


def desired(specs: Sequence[TaskSpec]) -> Desired:
    return Desired({spec.name: spec for spec in specs}, 1, "digest", "tasks.d")


def apply(world: World, *specs: TaskSpec) -> Applied:
    return apply_desired(world.database, desired(specs), "main", Approval("tester", ANYTHING))


def ids(world: World) -> dict[str, int]:
    """Return the ids of the live tasks, by name."""
    with reading(world.database) as connection:
        return {name: row.id for name, row in task_configs.live_tasks(connection, "main").items()}


def shown(applied: Applied) -> list[tuple[str, str]]:
    return [(change.previous, change.name) for change in applied.plan.changes if isinstance(change, Rename)]


def test_the_row_stays_and_the_second_plan_is_empty(world: World) -> None:
    apply(world, make_spec("mail.digest"), make_spec("other"))
    before = ids(world)

    applied = apply(world, make_spec("email.digest", renamed_from="mail.digest"), make_spec("other"))

    assert shown(applied) == [("mail.digest", "email.digest")]
    assert ids(world) == {"email.digest": before["mail.digest"], "other": before["other"]}
    assert not apply(
        world, make_spec("email.digest", renamed_from="mail.digest"), make_spec("other")
    ).plan.changes
    assert not apply(world, make_spec("email.digest"), make_spec("other")).plan.changes


def test_two_tasks_swap_their_names_once_and_again_when_it_is_said_anew(world: World) -> None:
    one, two = Every(MINUTE), Cron("0 3 * * *")
    apply(world, make_spec("a", schedule=one), make_spec("b", schedule=two))
    before = ids(world)
    swapped = (make_spec("a", schedule=two, renamed_from="b"), make_spec("b", schedule=one, renamed_from="a"))

    first, second = apply(world, *swapped), apply(world, *swapped)

    assert shown(first) == [("b", "a"), ("a", "b")]
    assert not second.plan.has_changes
    assert ids(world) == {"a": before["b"], "b": before["a"]}
    assert all(row.version == row.applied_version for row in world.tasks().values())

    apply(world, make_spec("a", schedule=two), make_spec("b", schedule=one))
    back = (make_spec("a", schedule=one, renamed_from="b"), make_spec("b", schedule=two, renamed_from="a"))
    apply(world, *back)

    assert ids(world) == before


def test_a_chain_of_names(world: World) -> None:
    apply(world, make_spec("a"), make_spec("b"))
    before = ids(world)

    applied = apply(world, make_spec("b", renamed_from="a"), make_spec("c", renamed_from="b"))

    assert ids(world) == {"b": before["a"], "c": before["b"]}
    assert (applied.plan.summary.delete, applied.plan.summary.rename) == (0, 2)


def test_a_name_that_another_live_task_keeps_is_not_given(world: World) -> None:
    apply(world, make_spec("a"), make_spec("b"))
    before = ids(world)

    applied = apply(world, make_spec("b", renamed_from="a"))

    assert shown(applied) == []
    assert ids(world) == {"b": before["b"]}
    assert "      ! not renamed to b: a live task has that name already" in plan_lines(applied.plan)


def test_the_fires_go_on_none_lost_none_doubled(world: World) -> None:
    every = make_spec("old", schedule=Every(timedelta(seconds=1)), policy=Policy(catch_up=CatchUp.ALL))
    apply(world, every)
    first = world.task("old").next_nominal_at
    world.let_fire("old")
    world.let_come_due("old")

    apply(world, replace(every, name="new", renamed_from="old"))
    world.let_fire("new")

    row, events = world.task("new"), world.events()
    assert {event.task_config_id for event in events} == {row.id}
    times = sorted(event.nominal_at for event in events)
    assert len(times) >= 2
    assert times[-1] < row.next_nominal_at
    assert len(set(times)) == len(times), first


def test_a_revision_tells_of_the_rename_and_of_what_the_task_was_before(world: World) -> None:
    apply(world, make_spec("a"), make_spec("b"))
    apply(world, make_spec("a", owner="x"), make_spec("b"))
    apply(world, make_spec("b", renamed_from="a", owner="x"), make_spec("a", renamed_from="b"))
    apply(world, make_spec("b", owner="y"), make_spec("a"))

    rows = {id_: ("main", name) for name, id_ in ids(world).items()}
    with reading(world.database) as connection:
        told = {rows[id_][1]: each for id_, each in told_changes(connection, rows, LONG_AGO).items()}

    assert [(each.document["action"], each.document["name"]) for each in told["b"]] == [
        ("create", "a"),
        ("update", "a"),
        ("rename", "b"),
        ("update", "b"),
    ]
    assert [(each.document["action"], each.document["name"]) for each in told["a"]] == [
        ("create", "b"),
        ("rename", "a"),
    ]


def test_a_saved_plan_renames(world: World) -> None:
    apply(world, make_spec("a"))
    wanted = desired([make_spec("b", renamed_from="a")])
    planned = make_plan(world.database, wanted, "main")
    shown = {
        "format_version": "1.0",
        "source": {"name": "main"},
        "environment": None,
        "base": {"revision": 1, "rows": {"a": 1}},
    }
    document = saved_document(shown, planned.plan, planned.database, {}, None)
    saved = read_saved_plan(json.dumps(document), "plan.json")
    apply_desired(world.database, wanted, "main", Approval("tester", ANYTHING, expected=saved))

    assert list(ids(world)) == ["b"]


NAMES = st.sampled_from("abcd")


def test_of_two_that_claim_one_name_one_is_a_new_task(world: World) -> None:
    apply(world, make_spec("a"), make_spec("b"))
    before = ids(world)

    apply(
        world,
        make_spec("a", renamed_from="b"),
        make_spec("b", renamed_from="a"),
        make_spec("c", renamed_from="a"),
    )

    after = ids(world)
    assert (after["a"], after["b"]) == (before["b"], before["a"])
    assert after.keys() == {"a", "b", "c"}


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_whatever_is_renamed_the_second_plan_is_empty_and_no_row_is_two_tasks(
    world: World, data: st.DataObject
) -> None:
    apply(world, *(make_spec(name) for name in data.draw(st.sets(NAMES), "live")))
    before = ids(world)
    declared = data.draw(st.dictionaries(NAMES, st.none() | NAMES), "declared")
    specs = [make_spec(name, renamed_from=old) for name, old in declared.items() if name != old]

    applied = apply(world, *specs)

    after = ids(world)
    assert after.keys() == {spec.name for spec in specs}
    assert len(set(after.values())) == len(after)
    for change in applied.plan.changes:
        if isinstance(change, Rename):
            assert after[change.name] == before[change.previous]
    assert not apply(world, *specs).plan.has_changes


def test_nothing_is_renamed_across_sources(world: World) -> None:
    apply_desired(world.database, desired([make_spec("a")]), "other", Approval("tester", ANYTHING))

    applied = apply(world, make_spec("b", renamed_from="a"))

    assert applied.plan.summary.add == 1
    assert set(ids(world)) == {"b"}
    assert world.tasks().keys() == {"a", "b"}


@pytest.mark.parametrize("name", ["~1"])
def test_the_name_in_between_is_none_that_a_task_can_have(name: str) -> None:
    with pytest.raises(InvalidValue):
        task_name(name)
