"""Fills a peer's store with n schedules due at the same instant, in bulk; this is never timed."""

import io
import json
import pickle

from peer_app import CONF, PERIOD, app, first_fires


def redbeat() -> None:
    """What RedBeatSchedulerEntry.save writes, through one pipeline."""
    import redis
    from celery.schedules import schedule
    from redbeat.decoder import RedBeatJSONEncoder
    from redbeat.schedulers import RedBeatSchedulerEntry

    pipeline = redis.Redis.from_url(CONF["redis"], decode_responses=True).pipeline(transaction=False)
    periodic = schedule(PERIOD)
    for name, index, first in first_fires():
        entry = RedBeatSchedulerEntry(name, "bench.noop", periodic, args=[index], app=app)
        entry.last_run_at = first - PERIOD
        definition = {
            "name": entry.name,
            "task": entry.task,
            "args": [index],
            "kwargs": {},
            "options": {},
            "schedule": periodic,
            "enabled": True,
        }
        meta = {"last_run_at": entry.last_run_at, "total_run_count": 0}
        pipeline.hset(entry.key, "definition", json.dumps(definition, cls=RedBeatJSONEncoder))
        pipeline.hset(entry.key, "meta", json.dumps(meta, cls=RedBeatJSONEncoder))
        pipeline.zadd(app.redbeat_conf.schedule_key, {entry.key: entry.score})
        if len(pipeline) > 5000:
            pipeline.execute()
    pipeline.execute()


def apscheduler_postgres() -> None:
    """Rows as SQLAlchemyJobStore.add_job writes them, in one COPY."""
    import psycopg2
    from apscheduler.jobstores.sqlalchemy import SQLAlchemyJobStore
    from apscheduler.schedulers.background import BackgroundScheduler
    from peer_apscheduler import OPTIONS, TABLE, add_jobs

    scheduler = BackgroundScheduler(**OPTIONS)
    scheduler.start(paused=True)
    add_jobs(scheduler)
    store = SQLAlchemyJobStore(url=CONF["sqlalchemy"], tablename=TABLE)
    store.jobs_t.create(store.engine, checkfirst=True)
    rows = io.StringIO()
    for job in scheduler.get_jobs():
        state = pickle.dumps(job.__getstate__(), pickle.HIGHEST_PROTOCOL)
        rows.write(f"{job.id}\t{job.next_run_time.timestamp()!r}\t\\\\x{state.hex()}\n")
    scheduler.shutdown()
    rows.seek(0)
    connection = psycopg2.connect(CONF["database"])
    connection.cursor().copy_expert(f"COPY {TABLE} (id, next_run_time, job_state) FROM STDIN", rows)
    connection.commit()


def django_celery_beat() -> None:
    """Rows as PeriodicTask.save writes them, with one shared interval, in bulk."""
    import django_app
    from django_celery_beat.models import IntervalSchedule, PeriodicTask, PeriodicTasks

    django_app.migrate()
    every = int(PERIOD.total_seconds())
    interval = IntervalSchedule.objects.create(every=every, period=IntervalSchedule.SECONDS)
    rows = [
        PeriodicTask(
            name=name,
            task="bench.noop",
            interval=interval,
            args=json.dumps([index]),
            last_run_at=first - PERIOD,
        )
        for name, index, first in first_fires()
    ]
    PeriodicTask.objects.bulk_create(rows, batch_size=5000)
    PeriodicTasks.update_changed()


if __name__ == "__main__":
    {
        "redbeat": redbeat,
        "apscheduler_postgres": apscheduler_postgres,
        "django_celery_beat": django_celery_beat,
    }[CONF["peer"]]()
