"""What people look at: lists, history in pages, numbers; and the fires they ask for."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import delete, insert

from stored import World, delivered
from taskcfg.errors import RetiredTask, TaskcfgError, UnknownTask
from taskcfg.spec.fires import ExecutionState, Outcome, Started
from taskcfg.spec.policy import Overlap, OverlapMode, Policy
from taskcfg.spec.schedule import Manual
from taskcfg.store import task_configs
from taskcfg.store.database import applying, reading, writing
from taskcfg.store.executions import ExecutionRecords
from taskcfg.store.history import Page, Wanted, executions, executions_of, fires, fires_by_id
from taskcfg.store.requests import request_run, runnable
from taskcfg.store.standing import Attention, attention, standing
from taskcfg.store.tables import schedule_event, task_execution, task_pause
from taskcfg.store.task_list import TaskState, task_rows
from taskcfg.testing import make_spec

HOUR = timedelta(hours=1)
ALLOW = Policy(overlap=Overlap(OverlapMode.ALLOW))


def ask(world: World, question: Any, *arguments: Any, **options: Any) -> Any:
    with reading(world.database) as connection:
        return question(connection, *arguments, **options)


def pause(world: World, name: str) -> None:
    with writing(world.database) as connection:
        values = {"paused_by": "ann", "reason": "INC-4211", "since": datetime.now(UTC)}
        id_ = world.task(name).id
        connection.execute(insert(task_pause).values(task_config_id=id_, **values))


def retire(world: World, name: str) -> None:
    with applying(world.database, 5) as connection:
        task_configs.retire_tasks(connection, [world.task(name).id])


def run(world: World, *names: str, request_id: str = "r1", actor: str = "ann") -> Any:
    with writing(world.database) as connection:
        return request_run(connection, runnable(connection, names), actor=actor, request_id=request_id)


def execute(world: World, name: str, outcome: Outcome) -> None:
    """Run the newest pending fire of the task to its end."""
    (fire,) = [
        row for row in world.events() if row.state == "pending" and row.task_config_id == world.task(name).id
    ]
    records = ExecutionRecords(world.database)
    started = records.start(delivered(fire))
    assert isinstance(started, Started)
    records.finish(started.execution_id, outcome)


DONE = Outcome(ExecutionState.SUCCEEDED, [1])


class TestTaskList:
    """A task's state is the first of retired, error, inactive, paused, active that holds."""

    def test_each_state_is_seen_and_the_first_that_holds_wins(self, world: World) -> None:
        names = ("active", "paused", "inactive", "error", "retired")
        world.add(*(make_spec(name, enabled=name != "inactive") for name in names))
        for name in ("paused", "inactive", "error", "retired"):
            pause(world, name)
        world.change_task("error", error_reason="ValueError: no", enabled=False)
        world.change_task("retired", error_reason="ValueError: no")
        retire(world, "retired")

        rows = {row.name: row for row in ask(world, task_rows, states=tuple(TaskState))}

        assert {name: row.state for name, row in rows.items()} == {name: TaskState(name) for name in names}
        assert rows["error"].error == "ValueError: no"
        assert (rows["paused"].pause.by, rows["paused"].pause.reason) == ("ann", "INC-4211")
        assert rows["active"].pause is None
        assert [row.name for row in ask(world, task_rows)] == ["active", "error", "inactive", "paused"]

    def test_what_is_wanted_can_be_narrowed(self, world: World) -> None:
        world.add(make_spec("a"), make_spec("b", type="http", params={"url": "http://x"}))
        world.add(make_spec("c"), source="other")

        def names(**wanted: Any) -> list[str]:
            return [row.name for row in ask(world, task_rows, **wanted)]

        assert names(names=["a", "c", "z"]) == ["a", "c"]
        assert names(sources=["main"]) == ["a", "b"]
        assert names(types=["http"]) == ["b"]
        assert names(states=[TaskState.RETIRED]) == []

    def test_a_row_tells_its_spec_its_times_and_its_last_fire(self, world: World) -> None:
        spec = make_spec("nightly", labels={"team": "platform"})
        world.add(spec, make_spec("idle"))
        nominal = world.let_come_due("nightly")
        world.make_pass()
        execute(world, "nightly", Outcome(ExecutionState.FAILED, error="no"))

        rows = {row.name: row for row in ask(world, task_rows)}

        assert rows["nightly"].spec is not None and rows["nightly"].spec.labels == {"team": "platform"}
        assert rows["nightly"].last_nominal_at == nominal
        assert (rows["nightly"].last_fire_state, rows["nightly"].last_execution_state) == ("done", "failed")
        assert (rows["idle"].last_fire_state, rows["idle"].last_execution_state) == (None, None)
        assert rows["idle"].next_fire_at is not None

    def test_a_row_that_cannot_be_read_is_shown_without_its_spec(self, world: World) -> None:
        world.add(make_spec())
        world.change_task("nightly", policy={})

        (row,) = ask(world, task_rows)

        assert row.spec is None
        assert row.error == "the row cannot be read: KeyError: 'retry'"


class TestPages:
    """History is read a page at a time, the newest first, and no row is seen twice or left out."""

    @pytest.mark.parametrize("task", [None, "a"])
    def test_pages_follow_one_another(self, world: World, task: str | None) -> None:
        world.add(make_spec("a", policy=ALLOW), make_spec("b", policy=ALLOW))
        for number in range(5):
            world.let_fire()
            for name in ("a", "b"):
                execute(world, name, Outcome(ExecutionState.SUCCEEDED, number))
        expected = 5 if task else 10

        for question in (fires, executions):
            seen, cursor = [], None
            while True:
                page: Page[Any] = ask(world, question, Wanted(task=task, limit=3, cursor=cursor))
                seen += page.rows
                if (cursor := page.next_cursor) is None:
                    break
            assert len(seen) == len({row.id for row in seen}) == expected
            times = [getattr(row, "created_at", None) or row.started_at for row in seen]
            assert times == sorted(times, reverse=True)
            assert {row.task for row in seen} == ({task} if task else {"a", "b"})

    def test_they_can_be_narrowed_by_state_and_time(self, world: World) -> None:
        world.add(make_spec("a"), make_spec("b"))
        world.let_fire()
        execute(world, "a", DONE)
        (old,) = [row for row in world.events() if row.state == "pending"]

        def tasks(question: Any, **wanted: Any) -> list[str]:
            return [row.task for row in ask(world, question, Wanted(**wanted)).rows]

        assert tasks(fires, states=["pending"]) == ["b"]
        assert tasks(fires, states=["pending", "done"], task="a") == ["a"]
        assert sorted(tasks(fires, since=old.created_at)) == ["a", "b"]
        assert tasks(fires, since=old.created_at + HOUR) == []
        assert tasks(executions, states=["succeeded"]) == ["a"]
        assert tasks(executions, states=["failed"]) == []
        assert tasks(executions, since=datetime.now(UTC) + HOUR) == []
        assert tasks(executions, task="b") == []

    def test_an_execution_tells_how_long_it_took(self, world: World) -> None:
        world.add(make_spec())
        (fire,) = world.let_fire()
        execute(world, "nightly", DONE)

        (row,) = ask(world, executions).rows
        by_fire = ask(world, executions_of, [fire.event_id])

        assert (row.event_id, row.result, row.state, row.attempt) == (fire.event_id, [1], "succeeded", 1)
        assert row.duration is not None and row.duration >= 0
        assert by_fire == {fire.event_id: [row]}

    def test_fires_are_found_by_id(self, world: World) -> None:
        world.add(make_spec("a"), make_spec("b"))
        ids = {fire.event_id for fire in world.let_fire()}

        assert {row.id for row in ask(world, fires_by_id, [*ids, uuid4()])} == ids

    @pytest.mark.parametrize("task", [None, "a"])
    def test_a_page_goes_on_where_the_last_one_ended_though_that_row_was_purged(
        self, world: World, task: str | None
    ) -> None:
        world.add(make_spec("a", policy=ALLOW))
        for _ in range(4):
            world.let_fire()
            execute(world, "a", DONE)

        for question, table in ((executions, task_execution), (fires, schedule_event)):
            whole = ask(world, question, Wanted(task=task)).rows
            first = ask(world, question, Wanted(task=task, limit=2))
            with writing(world.database) as connection:
                connection.execute(delete(table).where(table.c.id == first.rows[-1].id))
            rest = ask(world, question, Wanted(task=task, cursor=first.next_cursor)).rows

            assert [row.id for row in rest] == [row.id for row in whole[2:]]

    @pytest.mark.parametrize("cursor", ["x", "", "-", str(UUID(int=1)), "f" * 30 + "-" + UUID(int=1).hex])
    def test_a_wrong_cursor_is_said(self, world: World, cursor: str) -> None:
        with pytest.raises(TaskcfgError, match=f"`{cursor}` is no cursor"):
            ask(world, fires, Wanted(cursor=cursor))

    def test_the_history_of_a_deleted_task_is_kept(self, world: World) -> None:
        world.add(make_spec())
        world.let_fire()
        retire(world, "nightly")

        (row,) = ask(world, fires, Wanted(task="nightly")).rows
        assert row.state == "cancelled"


class TestStanding:
    """Numbers for `status`, and what wants a look."""

    def test_tasks_are_counted_by_state_and_type(self, world: World) -> None:
        world.add(make_spec("a"), make_spec("b", enabled=False), make_spec("c"), make_spec("d", type="http"))
        pause(world, "c")
        retire(world, "d")

        numbers = ask(world, standing)

        assert {state.value: number for state, number in numbers.by_state.items()} == {
            "retired": 1, "error": 0, "inactive": 1, "paused": 1, "active": 1,
        }  # fmt: skip
        assert numbers.by_type == {"cleanup": 3}
        assert (numbers.pending, numbers.oldest_age) == (0, None)

    def test_the_outbox_shows_what_waits_and_since_when(self, world: World) -> None:
        world.add(make_spec("a"), make_spec("b"), make_spec("put-off"))
        for name, late in (("a", 20), ("b", 10), ("put-off", 25)):
            world.let_fire(name, late=timedelta(seconds=late))
        (later,) = [row for row in world.events() if row.task_config_id == world.task("put-off").id]
        world.put_off(later.id, HOUR)

        numbers = ask(world, standing)

        assert numbers.pending == 2
        assert 20 <= numbers.oldest_age < 60

    def test_errors_and_stuck_fires_want_a_look(self, world: World) -> None:
        world.add(make_spec("broken"), make_spec("fine"), make_spec("stuck"))
        world.let_fire("stuck")
        world.change_events(reason="no queue `reports`")
        world.change_task("broken", error_reason="ValueError: no")

        assert ask(world, attention) == [
            Attention("broken", "ValueError: no"),
            Attention("stuck", "no queue `reports`"),
        ]


class TestRunningByHand:
    """Somebody asks for a fire now."""

    def test_it_is_due_at_once_and_any_relay_takes_it(self, world: World) -> None:
        world.add(make_spec(schedule=Manual(), policy=Policy(expires=HOUR)))

        (fire,) = run(world, "nightly")

        assert (fire.task, fire.kind, fire.state, fire.requested_by) == (
            "nightly",
            "manual",
            "pending",
            "ann",
        )
        assert fire.nominal_at == fire.fire_at
        assert world.event().expires_at == fire.fire_at + HOUR
        (taken,) = world.outbox.claim(10, held=())
        assert (taken.event_id, taken.celery_id) == (fire.id, fire.celery_id)

    def test_the_same_request_gives_the_same_fires(self, world: World) -> None:
        world.add(make_spec("a"), make_spec("b"))

        first = run(world, "b", "a", request_id="x")
        again = run(world, "b", "a", request_id="x", actor="bob")
        other = run(world, "a", request_id="y")

        assert [fire.task for fire in first] == ["b", "a"]
        assert again == first
        assert other[0].id not in {fire.id for fire in first}

    def test_a_name_given_twice_runs_once(self, world: World) -> None:
        world.add(make_spec("a"))

        assert [fire.task for fire in run(world, "a", "a")] == ["a"]

    def test_paused_and_disabled_tasks_run(self, world: World) -> None:
        world.add(make_spec("paused"), make_spec("off", enabled=False))
        pause(world, "paused")

        run(world, "paused", "off")
        for name in ("paused", "off"):
            execute(world, name, DONE)

        assert {row.state for row in world.events()} == {"done"}

    def test_it_takes_params_of_its_own(self, world: World) -> None:
        world.add(make_spec())
        with writing(world.database) as connection:
            (task,) = runnable(connection, ["nightly"])
            changed = type(task)(task.id, task.spec, task.version, {"target": "elsewhere"})
            request_run(connection, [changed], actor="ann", request_id="1")

        assert world.event().message["kwargs"] == {"params": {"target": "elsewhere"}}

    def test_a_deleted_task_does_not_run(self, world: World) -> None:
        world.add(make_spec())
        retire(world, "nightly")

        with pytest.raises(RetiredTask, match="task `nightly` was deleted"):
            run(world, "nightly")

    def test_an_unknown_name_is_guessed(self, world: World) -> None:
        world.add(make_spec("nightly"), make_spec("weekly"))

        with pytest.raises(UnknownTask) as caught:
            run(world, "weekly", "nigthly")

        assert caught.value.hint == "did you mean `nightly`?"
        assert world.events() == []

    def test_a_row_that_cannot_be_read_is_said(self, world: World) -> None:
        world.add(make_spec())
        world.change_task("nightly", policy={})

        with pytest.raises(TaskcfgError, match="the row of task `nightly` cannot be read"):
            run(world, "nightly")
