"""Rollbacks on real databases: the same rows under the names they had, whatever became of them since."""

from collections.abc import Collection
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from stored import World
from taskcfg.control.rolling_back import desired_at
from taskcfg.errors import NameTaken
from taskcfg.reconcile.guard import Limits
from taskcfg.reconcile.plan import Plan
from taskcfg.settings import Settings
from taskcfg.spec.task import TaskSpec
from taskcfg.store import task_configs
from taskcfg.store.database import reading
from taskcfg.store.told_changes import told_changes
from taskcfg.sync import Applied, Approval, Desired, apply_desired, make_plan
from taskcfg.testing import make_spec

NAMES = st.sampled_from("abcd")
LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)


def approval(adopt: Collection[str] = ()) -> Approval:
    return Approval("tester", Limits(max_delete=1000, allow_empty=True, adopt=frozenset(adopt)))


def apply(world: World, *specs: TaskSpec, source: str = "main", adopt: Collection[str] = ()) -> Applied:
    desired = Desired({spec.name: spec for spec in specs}, 1, "digest", "tasks.d")
    return apply_desired(world.database, desired, source, approval(adopt))


def then(world: World, number: int, source: str) -> Desired:
    url = world.database.url.render_as_string(hide_password=False)
    found = Settings(
        project_root=Path("/"), database_url=url, broker_url="", tasks_dir=Path("/"), source=source
    )
    return desired_at(world.database, found, number)


def roll_back(world: World, number: int | None, source: str = "main", adopt: Collection[str] = ()) -> Plan:
    assert number is not None
    desired = then(world, number, source)
    planned = make_plan(world.database, desired, source, adopt=adopt)
    applied = apply_desired(world.database, desired, source, approval(adopt))
    assert applied.plan.fingerprint == planned.plan.fingerprint
    return applied.plan


def state(world: World, source: str = "main") -> dict[str, tuple[int, str | None]]:
    """Return the id and the owner of the source's live tasks, by name."""
    with reading(world.database) as connection:
        live = task_configs.live_tasks(connection, source)
        specs = task_configs.specs_of(connection, [row.id for row in live.values()])
    return {name: (row.id, specs[row.id].owner) for name, row in live.items()}


def shown(plan: Plan) -> list[tuple[str, str]]:
    return [(type(change).__name__, change.name) for change in plan.changes]


def test_a_swap_of_two_names_is_swapped_back(world: World) -> None:
    first = apply(world, make_spec("a", owner="one"), make_spec("b", owner="two")).revision
    before = state(world)
    swapped = make_spec("a", owner="two", renamed_from="b"), make_spec("b", owner="one", renamed_from="a")
    second = apply(world, *swapped).revision
    after = state(world)

    assert shown(roll_back(world, first)) == [("Rename", "a"), ("Rename", "b")]
    assert state(world) == before
    assert shown(roll_back(world, second)) == [("Rename", "a"), ("Rename", "b")]
    assert state(world) == after
    assert not apply(world, *swapped).plan.has_changes


def test_a_name_that_another_task_has_now_is_given_back(world: World) -> None:
    first = apply(world, make_spec("a")).revision
    before = state(world)
    apply(world, make_spec("b", renamed_from="a"))
    apply(world, make_spec("b", renamed_from="a"), make_spec("a", owner="new"))

    assert shown(roll_back(world, first)) == [("Delete", "a"), ("Rename", "a")]
    assert state(world) == before


def test_a_task_that_was_renamed_and_deleted_comes_back_under_its_old_name(world: World) -> None:
    first = apply(world, make_spec("a"), make_spec("x")).revision
    before = state(world)
    apply(world, make_spec("b", renamed_from="a"), make_spec("x"))
    apply(world, make_spec("a", owner="another"), make_spec("x"))

    assert shown(roll_back(world, first)) == [("Delete", "a"), ("Create", "a")]
    assert state(world) == before


def test_what_another_source_took_over_is_not_made_a_second_time(world: World) -> None:
    first = apply(world, make_spec("s"), make_spec("x")).revision
    before = state(world)
    apply(world, make_spec("s2", renamed_from="s"), make_spec("x"))
    apply(world, make_spec("s2", owner="theirs"), source="other", adopt=["s2"])
    apply(world, make_spec("x"))

    with pytest.raises(NameTaken) as refused:
        roll_back(world, first)

    assert refused.value.owners == {"s2": "other"}
    assert "`--adopt s2`" in str(refused.value.hint)
    assert shown(roll_back(world, first, adopt=["s2"])) == [("Rename", "s")]
    assert state(world) == before
    assert state(world, "other") == {}


def test_a_name_of_another_sources_task_is_taken_over_only_when_it_is_said(world: World) -> None:
    first = apply(world, make_spec("s")).revision
    apply(world, make_spec("s2", renamed_from="s"))
    apply(world, make_spec("s", owner="theirs"), source="other")
    theirs = state(world, "other")["s"][0]

    with pytest.raises(NameTaken):
        roll_back(world, first)
    roll_back(world, first, adopt=["s"])

    assert state(world) == {"s": (theirs, None)}


def test_a_task_that_was_adopted_since_is_not_given_back_and_that_is_said(world: World) -> None:
    first = apply(world, make_spec("own"), source="other").revision
    apply(world, make_spec("s"))
    apply(world, make_spec("own"), make_spec("s"), source="other", adopt=["s"])
    assert first is not None
    between = roll_back(world, first, source="other")

    assert shown(between) == [("Delete", "s")]
    assert then(world, first, "other").warnings == ()


def test_a_rollback_over_an_adoption_warns(world: World) -> None:
    apply(world, make_spec("s"))
    first = apply(world, make_spec("own"), source="other").revision
    apply(world, make_spec("own"), make_spec("s"), source="other", adopt=["s"])
    assert first is not None

    (warning,) = then(world, first, "other").warnings

    assert warning.message == "`s` was source `main`'s then: it is deleted here, not given back"
    assert shown(roll_back(world, first, source="other")) == [("Delete", "s")]


def test_each_row_keeps_its_own_story(world: World) -> None:
    first = apply(world, make_spec("a")).revision
    (one,) = [id_ for id_, _ in state(world).values()]
    apply(world, make_spec("b", renamed_from="a"))
    apply(world, make_spec("b", renamed_from="a"), make_spec("a", owner="new"))
    two = state(world)["a"][0]
    roll_back(world, first)

    with reading(world.database) as connection:
        told = told_changes(connection, {one: ("main", "a"), two: ("main", "a")}, LONG_AGO)

    assert [(each.document["action"], each.document["name"]) for each in told[one]] == [
        ("create", "a"),
        ("rename", "b"),
        ("rename", "a"),
    ]
    assert [each.document["action"] for each in told[two]] == ["create", "delete"]


DECLARED = st.dictionaries(NAMES, st.tuples(st.sampled_from(["x", "y"]), st.none() | NAMES))
"""What one apply declares: each name with its owner, and the name it had."""


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(DECLARED | st.integers(0, 4), min_size=2, max_size=6), st.integers(0, 5))
def test_every_revision_can_be_gone_back_to_row_by_row(
    world: World, steps: list[dict[str, tuple[str, str | None]] | int], last: int
) -> None:
    past: list[tuple[int, dict[str, tuple[int, str | None]]]] = []

    def back(which: int) -> None:
        number, was = past[which % len(past)]
        roll_back(world, number)
        assert state(world) == was
        assert not roll_back(world, number).has_changes

    for step in steps:
        if isinstance(step, int):
            if past:
                back(step)
            continue
        specs = [
            make_spec(name, owner=owner, renamed_from=old)
            for name, (owner, old) in step.items()
            if name != old
        ]
        revision = apply(world, *specs).revision
        if revision is not None:
            past.append((revision, state(world)))
    if past:
        back(last)
