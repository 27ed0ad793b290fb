"""The project's Celery app: `celery -A shop.celery worker`."""

import os
from pathlib import Path

from celery import Celery

import taskcfg.celery

HERE = Path(__file__).parents[1]

app = Celery(
    "shop",
    # Without a broker of your own: taskcfg's, in a file, for one machine.
    broker=os.environ.get("SHOP_BROKER_URL", f"embedded:///{HERE}/.taskcfg/broker.db"),
    include=["shop.tasks"],
)
app.conf.task_routes = {"shop.tasks.send_reminders": {"queue": "mail"}}
app.conf.worker_prefetch_multiplier = 1

taskcfg.celery.install(app)  # the one line that taskcfg needs
