"""Two databases whose workers share a queue: no fire of either is swallowed."""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from stored import opened
from taskcfg.celery import make_app
from taskcfg.dispatch.publisher import CeleryDispatcher
from taskcfg.store.settings_table import Identity
from taskcfg.types.registry import Registry
from waiting import eventually
from workers import Project


@pytest.fixture
def two(tmp_path: Path, rabbitmq_url: str) -> Iterator[list[Project]]:
    """Two projects with a database each, and one broker."""
    with ExitStack() as stack:
        projects = []
        for name in ("one", "other"):
            folder = tmp_path / name
            folder.mkdir()
            url = f"sqlite:///{folder / 'taskcfg.db'}"
            database = stack.enter_context(opened(url))
            project = Project(folder, database, url, rabbitmq_url)
            project.dispatcher = CeleryDispatcher(
                make_app(project.read_settings(), Registry()), database=Identity(database)
            )
            stack.callback(project.close)
            projects.append(project)
        yield projects


def test_a_message_of_another_database_is_put_back_until_the_right_worker_has_it(two: list[Project]) -> None:
    one, other = two
    other.start_worker()
    one.start_worker()
    fires = [one.fire() for _ in range(10)]
    one.publish(*fires)

    def all_done() -> bool:
        one.relay()
        return all(one.states(fire) == ["succeeded"] for fire in fires)

    eventually(all_done, message=lambda: one.log + other.log)
    assert other.world.executions() == []
    assert "Traceback" not in other.log


def test_without_a_right_worker_it_is_dropped_aloud_and_the_wrong_worker_goes_on(two: list[Project]) -> None:
    one, other = two
    other.start_worker()
    one.publish(one.fire())
    own = other.fire()
    other.publish(own)

    other.until(own, ["succeeded"])
    eventually(lambda: "it is dropped, since no worker of that database took it" in other.log)

    assert other.log.count("it is put back, for a worker of that database") == 10
    assert one.world.event().state == "published"
