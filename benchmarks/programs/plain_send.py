"""Calls Celery's send_task at the instants of $BENCH_CONF: what any scheduler on Celery does at best."""

import time

from peer_app import CONF, app


def main() -> None:
    with app.producer_pool.acquire(block=True) as producer:
        producer.connection.ensure_connection()
    for index in range(CONF["n"]):
        due = CONF["due"] + index * CONF["step"]
        time.sleep(max(0.0, due - time.time()))
        app.send_task("bench.body", args=(due,))
    time.sleep(3600)


main()
