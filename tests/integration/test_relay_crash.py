"""A relay that dies between any two of its steps loses nothing, and another one goes on."""

import os
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest
from celery import Celery
from kombu import Connection

from stored import World, opened
from taskcfg.dispatch.publisher import CeleryDispatcher
from taskcfg.dispatch.relay import Relay
from taskcfg.spec.schedule import Every
from taskcfg.testing import make_spec

TESTS = Path(__file__).parents[1]

ONE_STEP = """
import sys
from celery import Celery
from stored import World
from taskcfg.dispatch.publisher import CeleryDispatcher
from taskcfg.dispatch.relay import Relay
from taskcfg.store.database import open_database

world = World(open_database(sys.argv[1], role="test"))
relay = Relay(world.outbox, CeleryDispatcher(Celery("demo", broker=sys.argv[2])))
fires = world.let_fire()
if sys.argv[3] == "offered":
    relay.offer(fires)
else:
    world.forget_nodes()
relay.run_once()
"""


def waiting_ids(url: str) -> list[str]:
    with Connection(url) as connection:
        channel, found = connection.channel(), []
        while (message := channel.basic_get("celery", no_ack=True)) is not None:
            found.append(message.properties["correlation_id"])
        return found


@pytest.mark.parametrize(
    ("failpoint", "way", "published_before"),
    [
        ("relay.before_publish", "offered", 0),
        ("relay.after_publish", "offered", 20),
        ("relay.after_record", "offered", 20),
        ("relay.after_claim", "claimed", 0),
        ("relay.before_publish", "claimed", 0),
    ],
)
def test_wherever_a_relay_dies_every_fire_reaches_the_broker_under_its_own_id(
    postgres_url, rabbitmq_url, failpoint, way, published_before
):
    with opened(postgres_url) as database:
        world = World(database)
        world.add(*[make_spec(f"task-{n}", schedule=Every(timedelta(days=1))) for n in range(20)])
        died = subprocess.run(
            [sys.executable, "-c", ONE_STEP, postgres_url, rabbitmq_url, way],
            env={**os.environ, "PYTHONPATH": str(TESTS), "TASKCFG_FAILPOINTS": f"{failpoint}=exit@1"},
            capture_output=True,
            text=True,
            check=False,
        )
        world.forget_nodes()
        heir = World(database)
        dispatcher = CeleryDispatcher(Celery("demo", broker=rabbitmq_url, set_as_current=False))
        relay = Relay(heir.outbox, dispatcher)

        sent = relay.run_once().sent
        relay.close()

        ids = waiting_ids(rabbitmq_url)
        events = world.events()
    assert died.returncode == 137, died.stderr
    assert {event.state for event in events} == {"published"}
    assert {*ids} == {str(event.celery_id) for event in events}
    assert len(ids) == published_before + sent
