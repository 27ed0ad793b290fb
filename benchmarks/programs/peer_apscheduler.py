"""APScheduler's BackgroundScheduler, whose jobs call Celery's apply_async; no job is ever too late to run."""

import logging
import time

from apscheduler.jobstores.memory import MemoryJobStore
from apscheduler.schedulers.background import BackgroundScheduler
from apscheduler.triggers.interval import IntervalTrigger
from peer_app import CONF, PERIOD, first_fires

OPTIONS = {"timezone": "UTC", "job_defaults": {"misfire_grace_time": None}}
TABLE = "apscheduler_jobs"


def add_jobs(scheduler: BackgroundScheduler) -> None:
    for name, index, first in first_fires():
        scheduler.add_job(
            "peer_app:send",
            IntervalTrigger(seconds=int(PERIOD.total_seconds()), start_date=first, timezone="UTC"),
            args=[index],
            id=name,
            next_run_time=first,
        )


def main() -> None:
    logging.basicConfig(level=logging.WARNING)
    if CONF["peer"] == "apscheduler_postgres":
        from apscheduler.jobstores.sqlalchemy import SQLAlchemyJobStore

        store = SQLAlchemyJobStore(url=CONF["sqlalchemy"], tablename=TABLE)
        scheduler = BackgroundScheduler(jobstores={"default": store}, **OPTIONS)
    else:
        scheduler = BackgroundScheduler(jobstores={"default": MemoryJobStore()}, **OPTIONS)
        add_jobs(scheduler)
    scheduler.start()
    time.sleep(3600)


if __name__ == "__main__":
    main()
