"""The least a burst takes on Redis: an event row and a message, as kombu writes it, for each fire.

A thousand at a time: COPY the rows, ten LPUSH of a hundred ready-made envelopes in one pipeline, whose
answer is the confirm. Run with a JSON document: due, n, queue, broker, database, out.
"""

import base64
import io
import json
import sys
import time
import uuid

import kombu  # noqa: F401 the same imports as a scheduler on Celery's broker
import psycopg2
import redis

BATCH, PUSH = 1000, 100
EMBED = '{}, {"callbacks": null, "errbacks": null, "chain": null, "chord": null}'
ENVELOPE = (
    '{"body": "%(body)s", "content-encoding": "utf-8", "content-type": "application/json", "headers": '
    '{"lang": "py", "task": "bench.noop", "id": "%(id)s", "root_id": "%(id)s", "parent_id": null, '
    '"group": null, "retries": 0, "timelimit": [null, null], "argsrepr": "[%(index)d]", '
    '"kwargsrepr": "{}", "origin": "limit", "ignore_result": true}, "properties": {"correlation_id": '
    '"%(id)s", "delivery_mode": 2, "delivery_info": {"exchange": "", "routing_key": "%(queue)s"}, '
    '"priority": 0, "body_encoding": "base64", "delivery_tag": "%(id)s"}}'
)
TABLE = "CREATE TABLE event (id uuid PRIMARY KEY, name text NOT NULL, due timestamptz NOT NULL)"


def envelope(index: int, celery_id: str, queue: str) -> str:
    body = base64.b64encode(f"[[{index}], {EMBED}]".encode()).decode()
    return ENVELOPE % {"body": body, "id": celery_id, "index": index, "queue": queue}


def main() -> None:
    conf = json.loads(sys.argv[1])
    database = psycopg2.connect(conf["database"])
    database.autocommit = True
    cursor = database.cursor()
    cursor.execute(TABLE)
    due = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(conf["due"]))
    broker = redis.Redis.from_url(conf["broker"])
    broker.ping()
    time.sleep(max(0.0, conf["due"] - time.time()))
    for start in range(0, conf["n"], BATCH):
        batch = [(index, str(uuid.uuid4())) for index in range(start, min(start + BATCH, conf["n"]))]
        rows = io.StringIO("".join(f"{celery_id}\tt{index:06d}\t{due}\n" for index, celery_id in batch))
        cursor.copy_expert("COPY event FROM STDIN", rows)
        messages = [envelope(index, celery_id, conf["queue"]) for index, celery_id in batch]
        pipeline = broker.pipeline(transaction=False)
        for first in range(0, len(messages), PUSH):
            pipeline.lpush(conf["queue"], *messages[first : first + PUSH])
        pipeline.execute()
    with open(conf["out"], "w", encoding="utf-8") as out:
        json.dump({"recorded_at": time.time()}, out)
    time.sleep(3600)


if __name__ == "__main__":
    main()
