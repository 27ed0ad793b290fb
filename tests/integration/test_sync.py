"""Plan and apply on real databases: all of it or none of it, and no fire lost by an edit."""

import threading
from collections.abc import Sequence
from datetime import timedelta

import pytest
from sqlalchemy import event as sqlalchemy_event
from sqlalchemy import select

from stored import World
from taskcfg.errors import LockTimeout, NameTaken, StalePlan, UnsafePlan
from taskcfg.reconcile.guard import Limits
from taskcfg.reconcile.plan import Plan
from taskcfg.spec.schedule import Cron, Every
from taskcfg.spec.task import TaskSpec
from taskcfg.store.database import applying, reading
from taskcfg.store.tables import revision
from taskcfg.sync import Applied, Approval, Desired, apply_desired, make_plan
from taskcfg.testing import make_spec

MINUTE = timedelta(minutes=1)
ANYTHING = Limits(max_delete=1000, allow_empty=True)


def desired(*specs: TaskSpec, subset: bool = False) -> Desired:
    return Desired(
        {spec.name: spec for spec in specs}, 1, "digest", "tasks.d", only=("a.yaml",) if subset else None
    )


def apply(world: World, *specs: TaskSpec, source: str = "main", limits: Limits = ANYTHING) -> Applied:
    return apply_desired(world.database, desired(*specs), source, Approval("tester", limits))


def plan(world: World, *specs: TaskSpec, subset: bool = False) -> Plan:
    return make_plan(world.database, desired(*specs, subset=subset), "main").plan


def revisions(world: World) -> Sequence[str]:
    with reading(world.database) as connection:
        return connection.scalars(select(revision.c.actor)).all()


def live(world: World) -> set[str]:
    return {name for name, row in world.tasks().items() if row.retired_at is None}


def test_after_an_apply_the_database_says_what_the_files_say_and_the_next_plan_is_empty(world: World) -> None:
    apply(world, make_spec("a"), make_spec("b"))

    applied = apply(world, make_spec("b", schedule=Cron("0 3 * * *")), make_spec("c"))

    assert live(world) == {"b", "c"}
    assert applied.plan.summary.add == applied.plan.summary.change == applied.plan.summary.delete == 1
    again = plan(world, make_spec("b", schedule=Cron("0 3 * * *")), make_spec("c"))
    assert not again.has_changes
    assert again.unchanged == ("b", "c")


def test_an_apply_without_changes_makes_no_revision(world: World) -> None:
    first = apply(world, make_spec("a"))
    second = apply(world, make_spec("a"))

    assert first.revision is not None
    assert second.revision is None
    assert revisions(world) == ["tester"]


def test_what_is_due_under_the_old_schedule_fires_before_the_edit(world: World) -> None:
    apply(world, make_spec("a", schedule=Every(MINUTE)))
    due = world.let_come_due("a")

    apply(world, make_spec("a", schedule=Cron("0 3 1 1 *")))

    assert [(row.nominal_at, row.state) for row in world.events()] == [(due, "pending")]
    assert world.make_pass() == []


def test_an_edit_of_another_field_moves_no_fire(world: World) -> None:
    apply(world, make_spec("a", schedule=Every(timedelta(hours=1))))
    before = world.task("a").next_nominal_at

    apply(world, make_spec("a", schedule=Every(timedelta(hours=1)), description="new words"))

    assert world.task("a").next_nominal_at == before


def test_a_task_that_comes_back_has_its_old_row_and_fires_only_from_now(world: World) -> None:
    apply(world, make_spec("a"), make_spec("b"))
    id_ = world.task("a").id
    apply(world, make_spec("b"))
    assert world.task("a").next_fire_at is None

    applied = apply(world, make_spec("a"), make_spec("b"))

    row = world.task("a")
    assert (row.id, row.retired_at) == (id_, None)
    assert row.next_fire_at is not None
    assert applied.plan.changes[0].restores == id_


def test_pending_fires_of_a_deleted_task_are_cancelled_and_those_of_an_edited_one_go_out(
    world: World,
) -> None:
    apply(world, make_spec("deleted"), make_spec("edited"))
    world.let_fire("deleted", "edited")

    apply(world, make_spec("edited", description="new words"))

    ids = {row.id: name for name, row in world.tasks().items()}
    states = {ids[row.task_config_id]: row.state for row in world.events()}
    assert states == {"deleted": "cancelled", "edited": "pending"}


def test_a_plan_that_is_no_longer_what_was_approved_changes_nothing(world: World) -> None:
    wanted = desired(make_spec("a"), make_spec("b"))
    seen = make_plan(world.database, wanted, "main").plan
    apply(world, make_spec("a"))

    with pytest.raises(StalePlan) as stale:
        apply_desired(world.database, wanted, "main", Approval("tester", ANYTHING, expected=seen))

    assert stale.value.changed == ("a",)
    assert live(world) == {"a"}


def test_a_failure_in_the_middle_leaves_nothing_done(world: World) -> None:
    apply(world, make_spec("a"))

    def fail(connection: object, cursor: object, statement: str, *_: object) -> None:
        if "INSERT INTO revision" in statement:
            raise RuntimeError("the power went")

    sqlalchemy_event.listen(world.database, "before_cursor_execute", fail)
    with pytest.raises(RuntimeError, match="the power went"):
        apply(world, make_spec("b"))
    sqlalchemy_event.remove(world.database, "before_cursor_execute", fail)

    assert live(world) == {"a"}
    assert world.task("a").next_fire_at is not None


def test_two_applies_at_once_are_one_after_the_other(world: World) -> None:
    specs = {n: [make_spec(f"t{k}", description=f"by {n}") for k in range(50)] for n in (1, 2)}
    results: list[Applied] = []
    threads = [threading.Thread(target=lambda n=n: results.append(apply(world, *specs[n]))) for n in (1, 2)]

    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(applied.plan.summary.add for applied in results) == [0, 50]
    assert sorted(applied.plan.summary.change for applied in results) == [0, 50]
    assert len({row.description for row in world.tasks().values()}) == 1


def test_an_apply_that_waits_too_long_for_another_gives_up(world: World) -> None:
    wanted = desired(make_spec("a"))
    approval = Approval("tester", lock_timeout=0.2)

    with applying(world.database, 5), pytest.raises(LockTimeout, match=r"0\.2 s"):
        apply_desired(world.database, wanted, "main", approval)

    assert live(world) == set()


def test_files_without_any_task_and_too_many_deletions_are_refused(world: World) -> None:
    apply(world, *(make_spec(f"t{n}") for n in range(10)))

    with pytest.raises(UnsafePlan, match="declare no task") as empty:
        apply(world, limits=Limits())
    with pytest.raises(UnsafePlan, match="9 tasks of 10 would be deleted; at most 3 may be") as many:
        apply(world, make_spec("t0"), limits=Limits())

    assert (empty.value.flag, many.value.flag) == ("--allow-empty", "--max-delete 9")
    assert len(live(world)) == 10


def test_a_subset_deletes_nothing(world: World) -> None:
    apply(world, make_spec("a"), make_spec("b"))

    found = plan(world, make_spec("a", description="new words"), subset=True)

    assert [type(change).__name__ for change in found.changes] == ["Update"]


def test_a_name_belongs_to_one_source_and_each_sees_only_its_own(world: World) -> None:
    apply(world, make_spec("a"), source="main")
    apply(world, make_spec("b"), source="tenants")

    with pytest.raises(NameTaken, match="task `b` belongs to source `tenants`"):
        apply(world, make_spec("a"), make_spec("b"), source="main")

    assert live(world) == {"a", "b"}


def test_a_row_changed_by_hand_is_put_right(world: World) -> None:
    apply(world, make_spec("a", description="ours"))
    world.change_task("a", description="somebody else's")

    found = plan(world, make_spec("a", description="ours"))

    (change,) = found.changes
    assert [(f.path, f.before, f.after) for f in change.fields] == [
        ("description", "somebody else's", "ours")
    ]
    apply(world, make_spec("a", description="ours"))
    assert world.task("a").description == "ours"
