"""What waits in a queue runs by priority, 9 first, with real workers on every broker that keeps it."""

import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from kombu import Connection

from stored import opened
from taskcfg.celery import make_app
from taskcfg.dispatch.publisher import CeleryDispatcher
from taskcfg.types.registry import Registry
from waiting import eventually
from workers import Project

BACKLOG = [*range(10), *range(10), 5, 5]


@pytest.fixture
def project_on(tmp_path: Path, sqlite_url: str) -> Iterator[Callable[..., Project]]:
    """`project_on(broker_url, **settings)`: a project without workers yet."""
    projects: list[Project] = []
    with opened(sqlite_url) as database:

        def make(broker_url: str, **settings: Any) -> Project:
            project = Project(tmp_path, database, sqlite_url, broker_url)
            project.dispatcher.close()
            project.settings.update(settings)
            project.configure()
            project.dispatcher = CeleryDispatcher(make_app(project.read_settings(), Registry()))
            projects.append(project)
            return project

        yield make
        for project in projects:
            project.close()


def published_backlog(project: Project) -> dict[str, int]:
    """Publish one fire of each priority of the backlog, in no order; return the priorities by task."""
    shuffled = random.Random(4).sample(BACKLOG, len(BACKLOG))
    fires = {priority_of: project.fire(priority=priority) for priority_of, priority in enumerate(shuffled)}
    project.publish(*fires.values())
    return {fire.task: shuffled[number] for number, fire in fires.items()}


def order_run(project: Project, priorities: dict[str, int]) -> list[int]:
    """Wait until all have run; return their priorities in the order in which they began."""

    def begun() -> list[str]:
        return [line.split()[1] for line in project.lines() if line.startswith("begin")]

    eventually(lambda: len(begun()) >= len(priorities), message=lambda: f"{begun()}\n{project.log}")
    return [priorities[task] for task in begun()]


@pytest.mark.parametrize("broker", ["embedded", "redis", "rabbitmq"])
def test_a_backlog_runs_by_priority_9_first(
    request: pytest.FixtureRequest, tmp_path: Path, project_on: Any, broker: str
) -> None:
    url = f"embedded:///{tmp_path}/broker.db"
    if broker != "embedded":
        url = request.getfixturevalue(f"{broker}_url")
    project = project_on(url, priority_queues=True)
    priorities = published_backlog(project)

    project.start_worker()

    assert order_run(project, priorities) == sorted(BACKLOG, reverse=True)


def test_a_worker_of_a_users_own_app_finds_fires_of_every_priority_on_redis(
    project_on: Any, redis_url: str
) -> None:
    project = project_on(redis_url)
    priorities = published_backlog(project)

    project.start_their_worker("-c", "1", "--prefetch-multiplier", "1")

    assert order_run(project, priorities) == sorted(BACKLOG, reverse=True)


def test_what_has_no_gate_goes_to_the_lists_that_every_worker_knows_of(
    project_on: Any, redis_url: str, queue_prefix: str
) -> None:
    project = project_on(redis_url)
    queue = f"{queue_prefix}theirs"
    fires = [
        project.fire(
            "celery", task="theirs.add", args=[1, 2], kwargs={}, gate=False, queue=queue, priority=priority
        )
        for priority in (0, 5, 9)
    ]
    project.publish(*fires)

    with Connection(redis_url) as connection, connection.channel() as channel:
        found = [channel.basic_get(queue, no_ack=True) for _ in fires]

    ids = [message.properties["correlation_id"] for message in found]
    assert ids == [str(fire.celery_id) for fire in reversed(fires)]


def test_a_rabbitmq_queue_that_stands_without_priorities_is_served_as_it_is_and_that_is_said(
    project_on: Any, rabbitmq_url: str
) -> None:
    with Connection(rabbitmq_url) as connection, connection.channel() as channel:
        channel.queue_declare("celery", durable=True, auto_delete=False)
    project = project_on(rabbitmq_url, priority_queues=True)
    fire = project.fire(priority=9)

    project.start_worker()
    project.publish(fire)
    project.until(fire, ["succeeded"])

    assert "queue.accepted queue=celery kind=classic max_priority=0: it is served as it stands" in project.log
    assert "Traceback" not in project.log
