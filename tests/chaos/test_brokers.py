"""The broker goes away in four ways while fires go out, and comes back."""

from typing import Any

import pytest
import redis
from kombu import Connection

from chaos.stage import EMBEDDED, NODE, PRODUCTION, SQLITE_REDIS, Place, Stage, marked, of, on, pause
from chaos.table import size

WAYS = {
    "stop": "broker stopped",
    "kill": "broker killed",
    "freeze": "broker frozen",
    "partition": "broker partitioned",
}


def case(place: Place, way: str) -> Any:
    stage = marked(place)
    return pytest.param(place, way, id=f"{place}-{way}", marks=[*stage.marks, pytest.mark.row(WAYS[way])])


CASES = [case(place, way) for way in WAYS for place in (SQLITE_REDIS, NODE)] + [case(EMBEDDED, "freeze")]


@pytest.mark.parametrize(("stage", "way"), CASES, indirect=["stage"])
def test_a_broker_that_goes_away_is_waited_for_and_nothing_is_lost(stage: Stage, way: str) -> None:
    stage.declare(10, "{every: 1s}", overlap="allow")
    scheduler, worker = stage.scheduler(), stage.worker(2)
    stage.until(lambda books: len(books.lines) > 20)

    getattr(stage.broker, way)()
    pause(size(4, 60))
    stage.broker.restore()
    back = len(stage.books().events)
    stage.until(lambda books: sum(line[0] == "ended" for line in books.lines) > back + 20, timeout=180)
    stage.stop_firing()
    books = stage.settled(timeout=180)

    stage.verdict(books)
    assert scheduler.running
    assert worker.running


@pytest.mark.row("broker emptied before anybody had a message")
@on(PRODUCTION, SQLITE_REDIS)
def test_what_a_broker_forgot_is_sent_again(stage: Stage) -> None:
    fires = size(20, 2_000)
    stage.env["TASKCFG_UNCLAIMED_AFTER"] = "5s"
    stage.declare(fires, stage.soon())
    stage.scheduler()
    stage.until(lambda books: [event.state for event in books.events] == ["published"] * fires)

    forget_all(stage)
    stage.worker()
    books = stage.settled(fires=fires, timeout=180)

    stage.verdict(books, interval=None)
    assert {event.executions for event in books.events} == {("succeeded",)}


def forget_all(stage: Stage) -> None:
    if stage.place.broker == "redis":
        with redis.Redis.from_url(stage.broker.url) as client:
            client.flushall()
        return
    with Connection(stage.broker.url) as connection, connection.channel() as channel:
        channel.queue_purge("celery")


IMPATIENT = """
import os
from celery import Celery

app = Celery("impatient", broker=os.environ["TASKCFG_BROKER_URL"])
app.conf.broker_transport_options = {
    "visibility_timeout": 2, "unacked_restore_interval": 1, "unacked_restore_throttle": 1
}
"""


@pytest.mark.row("message handed out again while its task runs")
@on(SQLITE_REDIS)
def test_a_task_longer_than_the_visibility_timeout_runs_once(stage: Stage) -> None:
    stage.project.write("impatient.py", IMPATIENT)
    stage.env["TASKCFG_CELERY_APP"] = "impatient:app"
    stage.declare(2, stage.soon(), prefix="long", params="{seconds: 8}")
    stage.scheduler()
    worker = stage.worker()

    books = stage.settled(fires=2)

    stage.verdict(books, interval=None)
    assert {event.executions for event in of(books, "long")} == {("succeeded",)}
    assert worker.err.count(" received") > 2
    assert worker.err.count("execution.refused") > 0
