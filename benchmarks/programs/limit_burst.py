"""The least a burst takes: an event row and a confirmed message for each fire, and nothing decided.

A thousand at a time: COPY the rows, publish on one channel, wait once for the confirms. Everything is
kombu's and psycopg2's public API. Run with a JSON document: due, n, queue, broker, database, out.
"""

import io
import json
import sys
import time
import uuid

import psycopg2
from kombu import Connection, Producer

BATCH = 1000
EMBED = '{}, {"callbacks": null, "errbacks": null, "chain": null, "chord": null}'
TABLE = "CREATE TABLE event (id uuid PRIMARY KEY, name text NOT NULL, due timestamptz NOT NULL)"


def envelope(index: int, celery_id: str) -> dict:
    return {
        "lang": "py",
        "task": "bench.noop",
        "id": celery_id,
        "root_id": celery_id,
        "parent_id": None,
        "group": None,
        "retries": 0,
        "timelimit": [None, None],
        "argsrepr": f"[{index}]",
        "kwargsrepr": "{}",
        "origin": "limit",
        "ignore_result": True,
    }


def main() -> None:
    conf = json.loads(sys.argv[1])
    database = psycopg2.connect(conf["database"])
    database.autocommit = True
    cursor = database.cursor()
    cursor.execute(TABLE)
    due = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(conf["due"]))
    connection = Connection(conf["broker"])
    connection.connect()
    channel = connection.channel()
    channel.confirm_select()
    confirmed = 0

    def on_ack(tag: int, multiple: bool) -> None:
        nonlocal confirmed
        confirmed = max(confirmed, tag)

    channel.events["basic_ack"].add(on_ack)
    producer = Producer(channel, auto_declare=False)
    time.sleep(max(0.0, conf["due"] - time.time()))
    for start in range(0, conf["n"], BATCH):
        batch = [(index, str(uuid.uuid4())) for index in range(start, min(start + BATCH, conf["n"]))]
        rows = io.StringIO("".join(f"{celery_id}\tt{index:06d}\t{due}\n" for index, celery_id in batch))
        cursor.copy_expert("COPY event FROM STDIN", rows)
        for index, celery_id in batch:
            producer.publish(
                f"[[{index}], {EMBED}]",
                routing_key=conf["queue"],
                exchange="",
                content_type="application/json",
                content_encoding="utf-8",
                headers=envelope(index, celery_id),
                correlation_id=celery_id,
                delivery_mode=2,
            )
        while confirmed < start + len(batch):
            connection.drain_events(timeout=30)
    with open(conf["out"], "w", encoding="utf-8") as out:
        json.dump({"recorded_at": time.time()}, out)
    time.sleep(3600)


if __name__ == "__main__":
    main()
