"""`Taskcfg`, as a user's own code calls it, on both databases."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from taskcfg import (
    InvalidParams,
    InvalidTaskFiles,
    Limits,
    RetiredTask,
    SchemaMismatch,
    StalePlan,
    Taskcfg,
    UnknownTask,
    UnsafePlan,
)
from taskcfg.settings import load_settings
from taskcfg.spec.fires import EventState
from taskcfg.store.history import Wanted
from taskcfg.testing import FakeClock

TASK = """\
  {}:
    type: cleanup
    schedule: {{every: 1h}}
    params: {{target: execution_history, older_than: 30d}}
"""


def declare(folder: Path, *names: str) -> None:
    (folder / "tasks.d").mkdir(exist_ok=True)
    tasks = "".join(TASK.format(name) for name in names)
    (folder / "tasks.d" / "tasks.yaml").write_text(f"tasks:\n{tasks}" if names else "tasks: {}\n")


@pytest.fixture
def taskcfg(tmp_path: Path, database_url: str) -> Iterator[Taskcfg]:
    flags: dict[str, Any] = {"database_url": database_url, "actor": "tester"}
    with Taskcfg(load_settings(flags, environ={}, folder=tmp_path), clock=FakeClock()) as taskcfg:
        taskcfg.upgrade_schema()
        declare(tmp_path, "a", "b")
        taskcfg.apply()
        yield taskcfg


def test_a_plan_is_what_an_apply_does(taskcfg: Taskcfg, tmp_path: Path) -> None:
    declare(tmp_path, "b", "c")

    planned = taskcfg.plan()
    applied = taskcfg.apply(expected=planned.plan)

    assert applied.report.plan == planned.plan
    assert (planned.base_revision, applied.revision) == (1, 2)
    assert not taskcfg.plan().plan.has_changes
    assert [task.name for task in taskcfg.tasks()] == ["b", "c"]
    assert [task.state for task in taskcfg.tasks(retired=True)] == ["retired", "active", "active"]


def test_a_plan_that_is_no_longer_the_one_expected_is_stale(taskcfg: Taskcfg, tmp_path: Path) -> None:
    declare(tmp_path, "a", "b", "c")
    planned = taskcfg.plan()
    taskcfg.apply()
    declare(tmp_path, "a", "b", "c", "d")

    with pytest.raises(StalePlan) as stale:
        taskcfg.apply(expected=planned.plan)

    assert stale.value.changed == ("c", "d")
    assert "d" not in taskcfg.specs()


def test_guards_and_broken_files_leave_everything_as_it_is(taskcfg: Taskcfg, tmp_path: Path) -> None:
    declare(tmp_path)
    with pytest.raises(UnsafePlan):
        taskcfg.apply()
    (tmp_path / "tasks.d" / "broken.yaml").write_text("tasks: 5")
    with pytest.raises(InvalidTaskFiles):
        taskcfg.apply(limits=Limits(allow_empty=True))

    assert list(taskcfg.specs()) == ["a", "b"]


def test_the_same_request_runs_a_task_once(taskcfg: Taskcfg) -> None:
    first = taskcfg.run(["a", "b", "a"], request_id="7")
    again = taskcfg.run(["a", "b"], request_id="7")
    other = taskcfg.run(["a"])

    assert [each.fire.task for each in first] == ["a", "b"]
    assert [each.fire.id for each in again] == [each.fire.id for each in first]
    assert other[0].fire.id != first[0].fire.id
    assert first[0].fire.requested_by == "tester"


def test_waiting_ends_with_the_time_allowed_though_nothing_runs(taskcfg: Taskcfg) -> None:
    (waited,) = taskcfg.wait(taskcfg.run(["a"]), timeout=30)

    assert (waited.ended, waited.succeeded, waited.outcome) == (False, False, "pending")


def test_what_cannot_run_records_no_fire(taskcfg: Taskcfg, tmp_path: Path) -> None:
    declare(tmp_path, "b")
    taskcfg.apply()

    with pytest.raises(RetiredTask):
        taskcfg.run(["b", "a"])
    with pytest.raises(UnknownTask):
        taskcfg.run(["b", "nobody"])
    with pytest.raises(InvalidParams) as invalid:
        taskcfg.run(["b"], {"older_then": "1d"})

    assert invalid.value.hint == "did you mean `older_than`?"
    assert taskcfg.events(Wanted()).rows == ()


def test_a_deleted_task_loses_its_fires_and_keeps_its_past(taskcfg: Taskcfg, tmp_path: Path) -> None:
    (requested,) = taskcfg.run(["a"])
    declare(tmp_path, "b")
    taskcfg.apply()

    (event,) = taskcfg.events(Wanted(task="a")).rows
    (waited,) = taskcfg.wait([requested])

    assert (event.id, event.state) == (requested.fire.id, EventState.CANCELLED)
    assert (waited.ended, waited.succeeded, waited.outcome) == (True, False, "cancelled")
    with pytest.raises(RetiredTask):
        taskcfg.task("a")
    with pytest.raises(UnknownTask):
        taskcfg.executions(Wanted(task="nobody"))


def test_the_status_counts_what_is_there(taskcfg: Taskcfg) -> None:
    taskcfg.run(["a"])

    document = taskcfg.status().document()

    assert document["tasks"] == {
        "active": 2, "paused": 0, "inactive": 0, "error": 0, "retired": 0, "by_type": {"cleanup": 2},
    }  # fmt: skip
    assert document["outbox"]["pending"] == 1
    assert document["sources"][0]["in_sync"] is True
    assert document["schedulers"] == document["workers"] == document["attention"] == []


def test_without_tables_it_says_what_to_do(tmp_path: Path) -> None:
    declare(tmp_path, "a")
    with (
        Taskcfg(load_settings(environ={}, folder=tmp_path)) as fresh,
        pytest.raises(SchemaMismatch) as missing,
    ):
        fresh.plan()

    assert missing.value.hint == "run `taskcfg db upgrade`"


def test_params_that_no_message_holds_are_refused_and_nothing_is_recorded(
    tmp_path: Path, database_url: str
) -> None:
    flags: dict[str, Any] = {"database_url": database_url, "max_message_size": "1KiB"}
    with Taskcfg(load_settings(flags, environ={}, folder=tmp_path)) as taskcfg:
        taskcfg.upgrade_schema()
        (tmp_path / "tasks.d").mkdir()
        (tmp_path / "tasks.d" / "a.yaml").write_text(
            "tasks: {add: {type: celery, schedule: manual, params: {task: a.b}}}\n"
        )
        taskcfg.apply()

        with pytest.raises(InvalidParams, match=r"have 1,\d+ bytes as JSON, and `max_message_size` is 1,024"):
            taskcfg.run(["add"], {"args": ["x" * 1_000]})

        assert taskcfg.run(["add"], {"args": ["x"]})
        assert len(taskcfg.events(Wanted()).rows) == 1
