"""What runs all the time finds its rows by an index, on both databases, however long the history is."""

import json
import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import Connection, Engine, event, text

from stored import World, delivered
from taskcfg.spec.fires import ExecutionState, Outcome, Started
from taskcfg.spec.policy import Policy, Retry
from taskcfg.spec.retention import FAILED, Retention
from taskcfg.store.database import reading, writing
from taskcfg.store.executions import ExecutionRecords
from taskcfg.store.purging import Old, Purged, Sweep, purge_old
from taskcfg.store.reaper import reap
from taskcfg.store.requests import request_run, runnable
from taskcfg.testing import make_spec

GROWING = ("task_config", "schedule_event", "task_execution")

Statement = tuple[str, Any]


@pytest.fixture
def statements(database: Engine) -> list[Statement]:
    """Every statement that is sent, with its parameters; of many sets, the first."""
    sent: list[Statement] = []

    @event.listens_for(database, "before_cursor_execute")
    def note(
        connection: Connection, cursor: Any, statement: str, parameters: Any, context: Any, many: bool
    ) -> None:
        sent.append((statement, parameters[0] if many else parameters))

    return sent


def idle_pass(world: World) -> None:
    world.make_pass()
    world.firing.seconds_until_due()


def firing_pass(world: World) -> None:
    world.let_come_due()
    world.make_pass()


def publish(world: World) -> None:
    world.publish(world.make_pass())
    world.outbox.claim(10, held=())


def execute(world: World, state: ExecutionState = ExecutionState.FAILED) -> None:
    world.add(make_spec(policy=Policy(retry=Retry(attempts=2))))
    (fire,) = world.let_fire()
    records = ExecutionRecords(world.database)
    started = records.start(delivered(fire))
    assert isinstance(started, Started)
    records.finish(started.execution_id, Outcome(state))


def run_by_hand(world: World) -> None:
    world.add(make_spec())
    with writing(world.database) as connection:
        request_run(connection, runnable(connection, ["nightly"]), actor="ann", request_id="1")


def purge(world: World) -> None:
    execute(world, ExecutionState.SUCCEEDED)
    for keep in (0, 1):
        sweep = Sweep(world.database, Retention({"done": timedelta(days=1), FAILED: timedelta(days=2)}, keep))
        while not sweep.over:
            sweep.step()
    assert list(purge_old(world.database, Old(keep=0))) == [Purged(1, 1)]


@pytest.mark.parametrize(
    "work",
    [idle_pass, firing_pass, publish, execute, run_by_hand, lambda world: reap(world.database), purge],
    ids=["idle pass", "firing pass", "publish", "execute", "run by hand", "reap", "purge"],
)  # fmt: skip
def test_no_growing_table_is_read_from_end_to_end(
    world: World, statements: list[Statement], work: Callable[[World], Any]
) -> None:
    work(world)

    asked = [
        one for one in statements if one[0].lstrip().startswith(("SELECT", "UPDATE", "INSERT", "DELETE"))
    ]
    assert asked
    with reading(world.database) as connection:
        scans = [
            (statement, scan)
            for statement, values in asked
            for scan in scanned(connection, statement, values)
        ]
    assert scans == []


def scanned(connection: Connection, statement: str, parameters: Any) -> list[str]:
    """Return the growing tables that the plan of *statement* reads from end to end."""
    tables = "|".join(GROWING)
    if connection.dialect.name == "sqlite":
        plan = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters)
        return [row[3] for row in plan if re.fullmatch(rf"SCAN ({tables})\w*", row[3])]
    # With sequential scans made dear, one is left only where no index fits.
    connection.execute(text("SET LOCAL enable_seqscan = off"))
    plan = connection.exec_driver_sql(f"EXPLAIN (FORMAT JSON) {statement}", parameters)
    found = json.dumps(plan.scalar_one())
    return re.findall(rf'"Node Type": "Seq Scan"[^{{}}]*"Relation Name": "(?:{tables})"', found)
