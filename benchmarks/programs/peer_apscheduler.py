"""APScheduler's BackgroundScheduler, whose jobs call Celery's apply_async; no job is ever too late to run."""

import logging
import time

from apscheduler.jobstores.memory import MemoryJobStore
from apscheduler.schedulers.background import BackgroundScheduler
from apscheduler.triggers.interval import IntervalTrigger
from peer_app import CONF, DUE

OPTIONS = {"timezone": "UTC", "job_defaults": {"misfire_grace_time": None}}
TABLE = "apscheduler_jobs"


def add_jobs(scheduler: BackgroundScheduler) -> None:
    for index in range(CONF["n"]):
        scheduler.add_job(
            "peer_app:send",
            IntervalTrigger(days=1, start_date=DUE, timezone="UTC"),
            args=[index],
            id=f"t{index:06d}",
            next_run_time=DUE,
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
