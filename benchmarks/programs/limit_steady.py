"""The least a steady rate takes: a message on one kombu channel at each instant, not recorded, not confirmed.

It knows beforehand what is due. Run with a JSON document: due, step, fires, queue, broker.
"""

import json
import sys
import time
import uuid

from kombu import Connection, Producer
from limit_burst import EMBED, envelope


def main() -> None:
    conf = json.loads(sys.argv[1])
    connection = Connection(conf["broker"])
    connection.connect()
    producer = Producer(connection.channel(), auto_declare=False)
    for index in range(conf["fires"]):
        time.sleep(max(0.0, conf["due"] + index * conf["step"] - time.time()))
        celery_id = str(uuid.uuid4())
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
    time.sleep(3600)


if __name__ == "__main__":
    main()
