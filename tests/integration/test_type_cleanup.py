"""The type `cleanup` on the execution history, on both databases."""

from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import Engine, func, insert, select

from stored import World
from taskcfg.spec.fires import EventKind, EventState, ExecutionState
from taskcfg.store.database import database_time, reading, writing
from taskcfg.store.tables import schedule_event, task_execution
from taskcfg.testing import make_spec
from taskcfg.types.cleanup import CleanupParams, remove_old_executions

MONTH = timedelta(days=30)


def record(
    world: World,
    state: ExecutionState = ExecutionState.SUCCEEDED,
    *,
    age: timedelta = MONTH * 2,
    event_state: EventState = EventState.DONE,
    copies: int = 1,
) -> set[UUID]:
    """Store executions that started *age* ago, and finished a minute later if they are finished."""
    (task_id,) = world.add(make_spec(f"task-{uuid4()}"), source=str(uuid4())).values()
    ids = {uuid4() for _ in range(copies)}
    with writing(world.database) as connection:
        start = database_time(connection) - age
        finished = None if state is ExecutionState.RUNNING else start + timedelta(minutes=1)
        common: dict[str, Any] = {"task_config_id": task_id, "config_version": 1, "kind": EventKind.SCHEDULED}
        for id in ids:
            connection.execute(
                insert(schedule_event).values(
                    id=id, dedupe_key=str(id), nominal_at=start, fire_at=start, created_at=start,
                    state=event_state, **common,
                )
            )  # fmt: skip
            connection.execute(
                insert(task_execution).values(
                    id=id, task_config_id=task_id, schedule_event_id=id, dispatch_no=1, attempt=1,
                    celery_id=id, state=state, started_at=start, finished_at=finished,
                )
            )  # fmt: skip
    return ids


def left(database: Engine) -> set[UUID]:
    with reading(database) as connection:
        return set(connection.execute(select(task_execution.c.id)).scalars())


def remove(world: World, *, batch: int = 1000) -> dict[str, int]:
    fields = {"target": "execution_history", "older_than": "30d", "batch": batch}
    return remove_old_executions(world.database, CleanupParams.model_validate(fields))


def test_finished_executions_older_than_the_age_go_and_their_fires_stay(world: World) -> None:
    record(world)
    record(world, ExecutionState.FAILED, age=MONTH + timedelta(minutes=2))
    young = record(world, age=MONTH - timedelta(minutes=2))

    assert remove(world) == {"executions": 2, "batches": 1}
    assert left(world.database) == young
    with reading(world.database) as connection:
        assert connection.execute(select(func.count()).select_from(schedule_event)).scalar_one() == 3


def test_what_runs_and_what_belongs_to_a_live_fire_stays_however_old(world: World) -> None:
    kept = record(world, ExecutionState.RUNNING)
    kept |= record(world, ExecutionState.RETRYING, event_state=EventState.PENDING)
    kept |= record(world, ExecutionState.LOST, event_state=EventState.PUBLISHED)

    assert remove(world) == {"executions": 0, "batches": 0}
    assert left(world.database) == kept


def test_many_go_in_batches(world: World) -> None:
    record(world, copies=7)

    assert remove(world, batch=3) == {"executions": 7, "batches": 3}
    assert left(world.database) == set()
