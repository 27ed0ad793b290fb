"""What lies between schedulers and workers: many messages at once, the same one again and again, poison."""

import json
from typing import Any

import pytest
from sqlalchemy import create_engine, text

from chaos.messages import copy_waiting, waiting
from chaos.stage import Stage, of
from chaos.table import size
from waiting import eventually


def execute(stage: Stage, statement: str, **values: Any) -> int:
    """Change the database by hand; return how many rows were changed."""
    database = create_engine(stage.database_url)
    try:
        with database.begin() as connection:
            return int(connection.execute(text(statement), values).rowcount)
    finally:
        database.dispose()


@pytest.mark.row("the same message delivered 100 times")
def test_a_message_that_is_delivered_a_hundred_times_runs_once(stage: Stage) -> None:
    stage.declare(3, stage.soon())
    stage.scheduler()
    stage.until(lambda books: len(books.events) == 3 and {e.state for e in books.events} == {"published"})

    copies = copy_waiting(stage.broker, 100)
    stage.worker()
    eventually(lambda: waiting(stage.broker) == 0)
    books = stage.settled(fires=3)

    stage.verdict(books, interval=None)
    assert copies == 300
    assert {event.executions for event in books.events} == {("succeeded",)}
    assert len([line for line in books.lines if line[0] == "began"]) == 3


@pytest.mark.row("very many tasks due in one second")
def test_tasks_that_are_all_due_in_one_second_all_run_once(stage: Stage) -> None:
    tasks = size(1_000, 100_000)
    stage.declare(tasks, stage.soon(size(2, 40)))
    stage.scheduler()
    stage.worker()

    books = stage.settled(fires=tasks, timeout=size(120, 3_600))

    stage.verdict(books, interval=None)
    assert len(books.events) == tasks


@pytest.mark.row("rows poisoned by hand")
def test_poisoned_tasks_and_fires_stop_nobody_else(stage: Stage) -> None:
    poisons = {
        "p00000": ("schedule", json.dumps({"cron": 17, "nonsense": [None]})),
        "p00001": ("policy", json.dumps("nonsense")),
        "p00002": ("timezone", "Mars/Olympus_Mons"),
        "p00003": ("params", json.dumps([1, {"x": None}])),
    }
    stage.declare(len(poisons), "{every: 1s}", prefix="p", file="poisoned", overlap="allow")
    stage.declare(10, "{every: 1s}", overlap="allow")
    stage.scheduler()
    stage.worker(2)
    stage.until(lambda books: len(books.lines) > 30)

    for task, (column, value) in poisons.items():
        execute(stage, f"UPDATE task_config SET {column} = :value WHERE name = :task", value=value, task=task)
    seen = len(of(stage.books(), "t"))
    stage.until(lambda books: len(of(books, "t")) > seen + 40)
    stage.stop_firing()
    books = stage.settled()

    failed = [event.id for event in of(books, "p") if event.state == "dead" or "failed" in event.executions]
    stage.verdict(books, unsuccessful=failed)


@pytest.mark.row("a recorded fire poisoned by hand")
def test_a_poisoned_fire_is_dead_and_the_others_of_its_batch_go_out(stage: Stage) -> None:
    stage.declare(20, stage.soon())
    stage.broker.partition() if stage.place.broker != "embedded" else stage.broker.freeze()
    first = stage.scheduler()
    stage.until(lambda books: len(books.events) == 20)
    first.kill()
    for number, poison in enumerate(("{}", '{"task": 7}', "[]", '{"task": "work", "args": 5}')):
        changed = execute(
            stage,
            "UPDATE schedule_event SET message = :poison WHERE task_config_id = "
            "(SELECT id FROM task_config WHERE name = :task)",
            poison=poison,
            task=f"t{number:05d}",
        )
        assert changed == 1

    stage.broker.restore()
    stage.scheduler()
    stage.worker(2)
    books = stage.settled(fires=20)

    poisoned = [event for event in books.events if event.task < "t00004"]
    stage.verdict(books, interval=None, unsuccessful=[event.id for event in poisoned])
    assert {event.state for event in poisoned} == {"dead"}
