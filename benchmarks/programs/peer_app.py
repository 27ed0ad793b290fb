"""The Celery application that every peer runs, as $BENCH_CONF (a JSON file) says.

Its keys: peer, due, n, queue, broker, and what the peer needs besides; `period` and `step`, in seconds,
where the tasks do not all recur daily at `due`; `canary` for one more task, overdue at the start.
"""

import json
import os
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

from celery import Celery
from celery.schedules import schedule

CONF = json.loads(Path(os.environ["BENCH_CONF"]).read_text(encoding="utf-8"))
PERIOD = timedelta(seconds=CONF.get("period", 86_400))
STEP = timedelta(seconds=CONF.get("step", 0))
DUE = datetime.fromtimestamp(CONF["due"], UTC)
CANARY = "canary"


def first_fires() -> Iterator[tuple[str, int, datetime]]:
    """Yield the name, the argument and the first fire of every task."""
    for index in range(CONF["n"]):
        yield f"t{index:06d}", index, DUE + index * STEP
    if CONF.get("canary"):
        yield CANARY, -1, datetime.now(UTC) - timedelta(seconds=60)


app = Celery("bench", broker=CONF["broker"])
app.conf.update(
    timezone="UTC",
    task_ignore_result=True,
    task_default_queue=CONF["queue"],
    broker_connection_retry_on_startup=True,
)
if CONF["peer"] == "django_celery_beat":
    import django_app  # noqa: F401 before beat imports its models
if CONF["peer"] == "redbeat":
    app.conf.redbeat_redis_url = CONF["redis"]
    app.conf.redbeat_key_prefix = CONF["prefix"]
    if "max_interval" in CONF:
        app.conf.beat_max_loop_interval = CONF["max_interval"]
        app.conf.redbeat_lock_timeout = CONF["lock_timeout"]
if CONF["peer"] == "beat":
    app.conf.beat_schedule = {
        name: {
            "task": "bench.noop",
            "schedule": schedule(PERIOD),
            "args": [index],
            "last_run_at": first - PERIOD,
        }
        for name, index, first in first_fires()
    }


@app.task(name="bench.noop")
def noop(*args: object) -> None:
    pass


@app.task(name="bench.body")
def body(sent_for: float) -> None:
    import time

    began = time.time()
    with open(CONF["out"], "a", encoding="utf-8") as out:
        out.write(f"{began - sent_for:.6f}\n")


def send(index: int) -> None:
    noop.apply_async((index,))
