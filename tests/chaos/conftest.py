"""The stages of the rows, and which of them a row runs on."""

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from acceptance.project import Project
from chaos.brokers import BrokerControl, FileBroker, node, own_redis, proxied
from chaos.stage import EMBEDDED, PRODUCTION, Place, Stage, marked
from services.required import resolve_or_skip


@pytest.fixture(params=[marked(EMBEDDED), marked(PRODUCTION)])
def stage(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Stage]:
    """A prepared stage on each place: SQLite with the embedded broker, PostgreSQL with RabbitMQ.

    The decorator `on` gives other places.
    """
    with staged(request, tmp_path, request.param) as stage:
        yield stage


@contextmanager
def staged(
    request: pytest.FixtureRequest,
    tmp_path: Path,
    place: Place,
    database_url: str | None = None,
    env: Mapping[str, str] | None = None,
) -> Iterator[Stage]:
    """Prepare a stage on *place*, in a given database or a fresh one; *env* is what all commands see."""
    folder, home = tmp_path / "project", tmp_path / "home"
    folder.mkdir()
    home.mkdir()
    project = Project(folder, home)
    with ExitStack() as stack:
        database_url = database_url or request.getfixturevalue(f"{place.database}_url")
        broker = broker_for(place, request, stack, folder)
        project.env |= {"TASKCFG_DATABASE_URL": database_url, "TASKCFG_BROKER_URL": broker.url, **(env or {})}
        stage = Stage(project, place, broker, request)
        stack.callback(project.close)
        stack.callback(broker.restore)  # first: nobody stops well while the broker is away
        stage.prepare()
        yield stage


def broker_for(place: Place, request: pytest.FixtureRequest, stack: ExitStack, folder: Path) -> BrokerControl:
    if place.broker == "embedded":
        return FileBroker(folder / "broker.db")
    if place.broker == "redis":
        return resolve_or_skip("redis", lambda: stack.enter_context(own_redis()))
    if place.broker == "rabbitmq-node":
        return stack.enter_context(node(*request.getfixturevalue("own_rabbitmq")))
    return stack.enter_context(proxied(request.getfixturevalue("rabbitmq_url")))
