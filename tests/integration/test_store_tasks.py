"""What an apply writes and a plan reads: rows that say exactly what the specs said."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from stored import World
from taskcfg.problems import Position
from taskcfg.reconcile.plan import Update, build_plan
from taskcfg.reconcile.state import Owner
from taskcfg.spec.policy import Backoff, CatchUp, Delivery, Overlap, OverlapMode, Policy, Retry
from taskcfg.spec.schedule import At, Cron, Every, Manual
from taskcfg.spec.task import TaskSpec
from taskcfg.store import task_configs
from taskcfg.store.database import applying, reading, writing
from taskcfg.store.requests import request_run, runnable
from taskcfg.store.tables import task_pause
from taskcfg.testing import make_spec

HOUR = timedelta(hours=1)

FULL = TaskSpec(
    name="billing.nächtlich",
    type="cleanup",
    schedule=Cron("30 3 * * MON-FRI"),
    params={"target": "files", "deep": [1, 2.5, None, True, {"ü": "\u2028"}], "": -0.5},
    timezone="Europe/Berlin",
    policy=Policy(
        timeout=timedelta(seconds=90.5),
        retry=Retry(3, timedelta(seconds=30), Backoff.EXPONENTIAL, timedelta(minutes=5), True),
        overlap=Overlap(OverlapMode.ALLOW),
        catch_up=CatchUp.NONE,
        expires=HOUR,
        delivery=Delivery.AT_MOST_ONCE,
    ),
    description="Löscht „alles“",
    labels={"team": "platform", "tier": "2"},
    owner="ann",
    runbook="https://example.org/runbook",
    queue="maintenance",
    priority=9,
    protect=True,
    position=Position("tasks.d/billing.yaml", 12),
)


def live(world: World, source: str = "main") -> dict[str, Any]:
    with reading(world.database) as connection:
        return task_configs.live_tasks(connection, source)


def apply(world: World, action: Any, *arguments: Any) -> Any:
    with applying(world.database, 5) as connection:
        return action(connection, *arguments)


@pytest.mark.parametrize(
    "spec",
    [
        FULL,
        make_spec("interval", schedule=Every(timedelta(minutes=63), datetime(2026, 1, 1, 0, 0, 0, 5, UTC))),
        make_spec("once", schedule=At((datetime(2031, 5, 1, tzinfo=UTC), datetime(2031, 5, 2, tzinfo=UTC)))),
        make_spec("by-hand", schedule=Manual(), params={}),
        make_spec("off", enabled=False),
    ],
    ids=lambda spec: spec.name,
)
def test_a_spec_comes_back_as_it_was(world: World, spec: TaskSpec) -> None:
    ids = world.add(spec)

    with reading(world.database) as connection:
        (found,) = task_configs.specs_of(connection, ids.values()).values()
    task = live(world)[spec.name]

    assert found == spec
    assert found.digest == task.digest == spec.digest
    assert found.position == (spec.position and replace(spec.position, column=0))
    assert (task.version, task.applied_version, task.protect) == (1, 1, spec.protect)


def test_a_digest_made_from_the_columns_is_that_of_the_spec(world: World) -> None:
    world.add(FULL)
    with writing(world.database) as connection:
        connection.execute(text("UPDATE task_config SET applied_version = 0"))

    assert live(world)[FULL.name].digest == FULL.digest


class TestInserting:
    """New tasks fire from now on."""

    def test_the_next_fire_is_the_schedules_first_after_now(self, world: World) -> None:
        world.add(make_spec("every", schedule=Every(HOUR)), make_spec("manual", schedule=Manual()))

        every, manual = world.task("every"), world.task("manual")
        assert datetime.now(UTC) < every.next_fire_at <= datetime.now(UTC) + HOUR
        assert every.next_nominal_at == every.next_fire_at
        assert every.next_fire_at.minute == every.next_fire_at.second == 0
        assert manual.next_fire_at is None

    def test_a_disabled_task_has_nothing_to_come(self, world: World) -> None:
        world.add(make_spec(enabled=False))

        assert world.task("nightly").next_fire_at is None

    def test_a_live_name_cannot_be_taken_twice(self, world: World) -> None:
        world.add(make_spec())

        with pytest.raises(IntegrityError):
            world.add(make_spec(), source="other")

    def test_many_at_once(self, world: World) -> None:
        names = {f"t{number:04}" for number in range(4_500)}
        ids = world.add(*(make_spec(name) for name in names))

        assert set(ids) == names == set(live(world))


class TestUpdating:
    """An edit fires by the new schedule from now on, and is in step with what was applied."""

    def test_the_row_says_what_the_new_spec_says(self, world: World) -> None:
        ids = world.add(make_spec(FULL.name))
        before = world.task(FULL.name)

        apply(world, task_configs.update_tasks, {ids[FULL.name]: FULL}, "main", "5eed")

        row, task = world.task(FULL.name), live(world)[FULL.name]
        assert task.digest == FULL.digest
        assert (task.version, task.applied_version, task.changed_by_hand) == (2, 2, False)
        assert (row.commit, row.file, row.line) == ("5eed", "tasks.d/billing.yaml", 12)
        assert row.next_fire_at != before.next_fire_at
        assert row.created_at == before.created_at and row.updated_at >= before.updated_at

    def test_writing_what_the_row_says_already_leaves_it_in_step(self, world: World) -> None:
        ids = world.add(make_spec())

        apply(world, task_configs.update_tasks, {ids["nightly"]: make_spec()}, "main", None)

        task = live(world)["nightly"]
        assert (task.version, task.applied_version) == (1, 1)

    def test_an_error_is_forgotten(self, world: World) -> None:
        ids = world.add(make_spec())
        world.change_task("nightly", error_reason="no", error_count=3, error_retry_at=datetime.now(UTC))

        apply(world, task_configs.update_tasks, {ids["nightly"]: make_spec(priority=1)}, "main", None)

        row = world.task("nightly")
        assert (row.error_reason, row.error_count, row.error_retry_at) == (None, 0, None)
        assert row.next_fire_at is not None

    def test_a_pause_is_not_undone(self, world: World) -> None:
        ids = world.add(make_spec())
        with writing(world.database) as connection:
            pause = {"paused_by": "ann", "reason": "INC-1", "since": datetime.now(UTC)}
            connection.execute(task_pause.insert().values(task_config_id=ids["nightly"], **pause))

        apply(world, task_configs.update_tasks, {ids["nightly"]: make_spec(priority=1)}, "main", None)

        row = world.task("nightly")
        assert row.next_fire_at is None
        assert row.next_nominal_at is not None

    def test_disabling_cancels_what_has_not_started_and_an_edit_does_not(self, world: World) -> None:
        ids = world.add(make_spec("disabled"), make_spec("edited"))
        world.let_fire()

        specs = {
            ids["disabled"]: make_spec("disabled", enabled=False),
            ids["edited"]: make_spec("edited", priority=1),
        }
        apply(world, task_configs.update_tasks, specs, "main", None)

        states = {row.task_config_id: (row.state, row.reason) for row in world.events()}
        assert states[ids["edited"]] == ("pending", None)
        assert states[ids["disabled"]] == ("cancelled", "cancelled: the task was disabled")
        assert world.task("disabled").next_fire_at is None

    def test_only_the_change_to_disabled_cancels_and_never_what_somebody_asked_for(
        self, world: World
    ) -> None:
        id_ = world.add(make_spec())["nightly"]
        world.let_fire()
        with writing(world.database) as connection:
            request_run(connection, runnable(connection, ["nightly"]), actor="ann", request_id="1")

        def states() -> dict[str, str]:
            return {row.kind: row.state for row in world.events()}

        apply(world, task_configs.update_tasks, {id_: make_spec(enabled=False)}, "main", None)
        assert states() == {"scheduled": "cancelled", "manual": "pending"}

        world.change_events(state="pending", done_at=None)  # as a retry of the scheduled one does
        apply(world, task_configs.update_tasks, {id_: make_spec(enabled=False, priority=1)}, "main", None)
        assert states() == {"scheduled": "pending", "manual": "pending"}


class TestRetiring:
    """Deleting stops a task and keeps its history; declaring it again revives it."""

    def test_it_stops_and_what_has_not_started_is_cancelled(self, world: World) -> None:
        ids = world.add(make_spec("gone"), make_spec("stays"), make_spec("runs"))
        fires = {fire.task: fire for fire in world.let_fire()}
        world.publish([fires["runs"]])

        apply(world, task_configs.retire_tasks, [ids["gone"], ids["runs"]])

        row = world.task("gone")
        assert row.retired_at is not None and row.next_fire_at is None
        assert set(live(world)) == {"stays"}
        states = {row.task_config_id: row.state for row in world.events()}
        assert states == {ids["gone"]: "cancelled", ids["stays"]: "pending", ids["runs"]: "published"}

    def test_the_newest_retired_row_is_the_one_to_revive(self, world: World) -> None:
        first = world.add(make_spec())["nightly"]
        apply(world, task_configs.retire_tasks, [first])
        second = world.add(make_spec())["nightly"]
        apply(world, task_configs.retire_tasks, [second])
        world.add(make_spec(), source="other")

        with reading(world.database) as connection:
            assert task_configs.retired(connection, "main", ["nightly", "unknown"]) == {"nightly": second}
            assert task_configs.retired(connection, "third", ["nightly"]) == {}

    def test_a_revived_task_fires_only_from_now(self, world: World) -> None:
        id_ = world.add(make_spec())["nightly"]
        apply(world, task_configs.retire_tasks, [id_])
        spec = make_spec(priority=3)

        apply(world, task_configs.revive_tasks, {id_: spec}, "main", "5eed")

        row, task = world.task("nightly"), live(world)["nightly"]
        assert (task.id, task.digest, task.changed_by_hand) == (id_, spec.digest, False)
        assert row.retired_at is None
        assert row.next_fire_at > datetime.now(UTC)
        assert world.make_pass() == []

    def test_nothing_to_do_is_done(self, world: World) -> None:
        apply(world, task_configs.retire_tasks, [])
        apply(world, task_configs.update_tasks, {}, "main", None)
        apply(world, task_configs.revive_tasks, {}, "main", None)
        apply(world, task_configs.insert_tasks, [], "main", None)

        assert live(world) == {}


class TestChangesByHand:
    """Somebody changed a row in SQL: the plan sees what the row says now."""

    def test_the_digest_is_that_of_the_columns(self, world: World) -> None:
        ids = world.add(make_spec("changed"), make_spec("same"))
        world.change_task("changed", priority=1)

        tasks = live(world)
        with reading(world.database) as connection:
            specs = task_configs.specs_of(connection, ids.values())

        assert tasks["changed"].changed_by_hand and not tasks["same"].changed_by_hand
        assert tasks["changed"].digest == make_spec("changed", priority=1).digest
        assert specs[ids["changed"]].priority == 1

    def test_a_row_that_cannot_be_read_differs_from_everything(self, world: World) -> None:
        ids = world.add(make_spec())
        world.change_task("nightly", policy={"retry": 7})

        tasks = live(world)
        with reading(world.database) as connection:
            specs = task_configs.specs_of(connection, ids.values())
        plan = build_plan("main", {"nightly": make_spec()}, tasks)

        assert specs == {}
        assert [type(change) for change in plan.changes] == [Update]

    def test_a_change_that_was_taken_back_counts_as_applied_again(self, world: World) -> None:
        world.add(make_spec())
        world.change_task("nightly", priority=1)
        world.change_task("nightly", priority=5)

        apply(world, task_configs.refresh_places, "main", [make_spec()], None)

        task = live(world)["nightly"]
        assert (task.version, task.applied_version) == (3, 3)


def test_a_task_that_moved_in_its_file_keeps_its_version(world: World) -> None:
    world.add(FULL, make_spec("other"))
    moved = replace(FULL, position=Position("tasks.d/new.yaml", 3, 5))
    before = world.task("other")

    apply(world, task_configs.refresh_places, "main", [moved, make_spec("other")], "5eed")

    row = world.task(FULL.name)
    assert (row.file, row.line, row.commit, row.version) == ("tasks.d/new.yaml", 3, "5eed", 1)
    assert world.task("other") == before


def test_names_tell_their_owner(world: World) -> None:
    world.add(make_spec("ours"))
    world.add(make_spec("theirs"), source="other")
    gone = world.add(make_spec("gone"), source="other")["gone"]
    apply(world, task_configs.retire_tasks, [gone])

    with reading(world.database) as connection:
        found = task_configs.owners(connection, ["ours", "theirs", "gone", "unknown"])

    assert found == {"ours": Owner("main"), "theirs": Owner("other")}
