"""A Celery project on the embedded broker, as a worker of the tests loads it."""

import os
import time
from pathlib import Path

from celery import Celery

from taskcfg import transport

transport.register()

JOURNAL = Path(os.environ.get("JOURNAL", "journal"))

app = Celery("embedded_app")
app.conf.task_acks_late = True
app.conf.task_default_queue = "work"
app.conf.worker_hijack_root_logger = False


@app.task
def note(text: str, seconds: float = 0.0) -> None:
    """Write a line once the work is done."""
    time.sleep(seconds)
    with JOURNAL.open("a") as journal:
        journal.write(f"{text}\n")


@app.task
def pass_on(text: str) -> None:
    """Publish from a pool child."""
    note.delay(text)
