"""What in a user's own Celery app gets in the way is said, and what does not is not."""

from pathlib import Path
from typing import Any

import pytest
from celery import Celery

from taskcfg.celery.fitness import broker_differs, refuse_unfit, remarks, short_visibility, use_broker
from taskcfg.celery.install import install
from taskcfg.control.celery_app import DefaultQueues
from taskcfg.errors import InvalidSettings
from taskcfg.settings import load_settings
from taskcfg.spec.task import TaskSpec


def their_app(broker: str = "amqp://user:hunter2@mq//", **conf: Any) -> Celery:
    app = Celery("theirs", broker=broker, set_as_current=False)
    app.conf.update(**conf)
    return app


@pytest.mark.parametrize("late", [True, False])
def test_celerys_own_defaults_are_fine(late: bool) -> None:
    assert list(remarks(their_app(task_acks_late=late, task_reject_on_worker_lost=late))) == []
    assert list(remarks(their_app(), pool="celery.concurrency.prefork")) == []


@pytest.mark.parametrize("pool", ["threads", "solo", "gevent", "celery.concurrency.thread"])
def test_a_pool_that_cannot_stop_a_task_is_said(pool: str) -> None:
    [remark] = remarks(their_app(worker_pool=pool))

    assert (remark.about, remark.broken) == ("pool", False)
    assert f"the pool `{pool}` cannot stop a task" in remark.reason


def test_messages_that_workers_would_refuse_are_broken() -> None:
    [remark] = remarks(their_app(task_serializer="yaml"))

    assert (remark.about, remark.broken) == ("content", True)
    assert (
        list(remarks(their_app(task_serializer="yaml", accept_content=["json", "application/x-yaml"]))) == []
    )


@pytest.mark.parametrize("name", ["task_acks_on_failure_or_timeout", "task_acks_on_failure"])
def test_failures_that_come_back_are_said_where_messages_are_acknowledged_late(name: str) -> None:
    assert [each.about for each in remarks(their_app(task_acks_late=True, **{name: False}))] == ["acks"]
    assert list(remarks(their_app(**{name: False}))) == []


def test_a_broker_of_the_apps_own_is_replaced_for_reading_and_for_writing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    app = their_app(broker_write_url="amqp://elsewhere//")

    use_broker(app, "amqp://ours//")

    assert (app.conf.broker_read_url, app.conf.broker_write_url) == ("amqp://ours//", "amqp://ours//")
    monkeypatch.setenv("CELERY_BROKER_WRITE_URL", "amqp://environment//")
    with pytest.raises(InvalidSettings, match="`CELERY_BROKER_WRITE_URL` goes before"):
        use_broker(their_app(), "amqp://ours//")


def test_workers_that_read_elsewhere_are_told_of_it_without_a_password(tmp_path: Path) -> None:
    def remark(**given: str) -> Any:
        return broker_differs(their_app(), load_settings(given, environ={}, folder=tmp_path))

    assert remark() is None
    assert remark(broker_url="amqp://user:hunter2@mq//") is None
    found = remark(broker_url="amqp://user:hunter2@other//")
    assert found.broken
    assert "other" in found.reason and "mq" in found.reason and "hunter2" not in found.reason


def test_redis_must_not_hand_out_what_still_runs() -> None:
    redis = their_app("redis://localhost")
    longer = their_app("redis://localhost", broker_transport_options={"visibility_timeout": 90_000})

    assert short_visibility(redis, 600) is None
    assert short_visibility(their_app(), 7200) is None
    assert short_visibility(longer, 7200) is None
    said = short_visibility(redis, 7200)
    assert said is not None
    assert said.reason == "Redis hands a message out again after 3600 s, and a task may take 7200 s"


def test_an_app_that_never_sends_is_refused() -> None:
    refuse_unfit(their_app(), "theirs")

    with pytest.raises(InvalidSettings, match="`theirs` has `task_always_eager` on"):
        refuse_unfit(their_app(task_always_eager=True), "theirs")


def test_installing_twice_is_installing_once() -> None:
    app = their_app()

    assert install(app) is install(app, serve_all=True)


def test_where_a_fire_goes_follows_the_apps_routing() -> None:
    routed = their_app(task_routes={"shop.*": {"queue": "shop"}}, task_default_queue="rest")
    spec = TaskSpec("t", "celery", params={"task": "shop.send", "args": [], "kwargs": {}})
    queue_of = DefaultQueues(routed)

    assert queue_of(spec) == "shop"
    assert queue_of(TaskSpec("t", "celery", params={**spec.params, "task": "other"})) == "rest"
    assert queue_of(TaskSpec("t", "celery", params=spec.params, queue="own")) == "own"
    assert DefaultQueues(None)(spec) == "celery"


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"task_routes": "no.such.router"}, "`task_routes` of `shop` cannot be used: ModuleNotFoundError"),
        ({"broker_url": "nonsense://"}, "`broker_url` of `shop` cannot be used: "),
    ],
)
def test_settings_that_nothing_can_be_sent_with_are_refused(settings: dict[str, str], message: str) -> None:
    app = Celery("shop", broker="redis://", set_as_current=False)
    app.conf.update(settings)

    with pytest.raises(InvalidSettings, match=message):
        refuse_unfit(app, "shop")


def test_a_visibility_that_is_no_number_is_said() -> None:
    app = Celery("shop", broker="redis://", set_as_current=False)
    app.conf.broker_transport_options = {"visibility_timeout": "abc"}

    remark = short_visibility(app, 10.0)

    assert remark is not None
    assert remark.reason == "`visibility_timeout` is 'abc', and no number of seconds"
