"""A batch decided together: what tasks share is worked out once, and each gets what it would get alone."""

import uuid
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from taskcfg.spec.advance import advance, advance_all
from taskcfg.spec.fires import DueTask, celery_id
from taskcfg.spec.overlap import Live
from taskcfg.spec.policy import CatchUp, Overlap, OverlapMode, Policy
from taskcfg.spec.schedule import Cron, Every
from taskcfg.testing import make_spec

NOW = datetime(2026, 3, 29, 1, 0, 7, tzinfo=UTC)
SCHEDULES = (Every(timedelta(minutes=1)), Cron("*/5 * * * *"), Every(timedelta(seconds=1)))
POLICIES = (
    Policy(),
    Policy(overlap=Overlap(OverlapMode.ALLOW), catch_up=CatchUp.ALL),
    Policy(jitter=timedelta(seconds=30)),
)
PARAMS = ({"task": "reports.build"}, {"task": "reports.build", "args": 3}, {})
"""What a good row holds, and two that somebody spoiled by hand."""


@st.composite
def due_tasks(draw: st.DrawFn) -> DueTask:
    number = draw(st.integers(1, 50))
    late = timedelta(seconds=draw(st.sampled_from([0, 7, 90, 4000])))
    start = NOW.replace(second=0) - timedelta(minutes=late.total_seconds() // 60)
    spec = make_spec(
        f"task-{number}",
        schedule=draw(st.sampled_from(SCHEDULES)),
        policy=draw(st.sampled_from(POLICIES)),
        type="celery",
        params=draw(st.sampled_from(PARAMS)),
        timezone=draw(st.sampled_from(["UTC", "Europe/Berlin", "Nowhere/Land"])),
    )
    return DueTask(
        number,
        spec,
        version=draw(st.integers(1, 3)),
        next_nominal_at=start,
        last_nominal_at=draw(st.sampled_from([None, start - timedelta(minutes=5)])),
        live=Live(going=draw(st.integers(0, 1))),
        promised=draw(st.booleans()),
    )


@given(st.lists(due_tasks(), max_size=12))
def test_a_batch_is_decided_as_each_of_its_tasks_alone(tasks: list[DueTask]) -> None:
    together = advance_all(tasks, NOW)

    assert together == [advance(task, NOW) for task in tasks]


@given(st.uuids(), st.integers(1, 2**40), st.text(max_size=40), st.integers(1, 9))
def test_a_dispatch_has_the_uuid5_of_its_name(
    database: uuid.UUID, task: int, key: str, dispatch: int
) -> None:
    assert celery_id(database, task, key, dispatch) == uuid.uuid5(database, f"{task}|{key}|{dispatch}")
