"""The Celery application that every peer runs, as $BENCH_CONF (a JSON file) says.

Its keys: peer, due, n, queue, broker, and what the peer needs besides.
"""

import json
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

from celery import Celery
from celery.schedules import schedule

CONF = json.loads(Path(os.environ["BENCH_CONF"]).read_text(encoding="utf-8"))
DAY = timedelta(days=1)
DUE = datetime.fromtimestamp(CONF["due"], UTC)

app = Celery("bench", broker=CONF["broker"])
app.conf.update(
    timezone="UTC",
    task_ignore_result=True,
    task_default_queue=CONF["queue"],
    broker_connection_retry_on_startup=True,
)
if CONF["peer"] == "redbeat":
    app.conf.redbeat_redis_url = CONF["redis"]
    app.conf.redbeat_key_prefix = CONF["prefix"]
if CONF["peer"] == "beat":
    app.conf.beat_schedule = {
        f"t{index:06d}": {
            "task": "bench.noop",
            "schedule": schedule(DAY),
            "args": [index],
            "last_run_at": DUE - DAY,
        }
        for index in range(CONF["n"])
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
