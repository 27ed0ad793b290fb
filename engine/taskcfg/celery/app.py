"""taskcfg's own Celery app, and the task types as Celery tasks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from celery import Celery

from taskcfg import transport
from taskcfg.celery.fitness import refuse_unfit, use_broker
from taskcfg.dispatch.gate import current_fire
from taskcfg.dispatch.immediate import HIGHEST_PRIORITY, PRIORITY_STEPS, UNGATED_STEPS
from taskcfg.dispatch.reach import check_broker_url
from taskcfg.errors import TaskcfgError
from taskcfg.settings import Settings
from taskcfg.spec.fires import celery_task_name
from taskcfg.types.celery_app import load_app
from taskcfg.types.registry import Registry

FOREIGN = "celery"
"""The type whose fires are messages of the user's own Celery tasks: it has none itself."""

VISIBILITY = 86_400
"""Seconds after which Redis delivers again what nobody has acknowledged: longer than tasks run.
A fire whose worker died does not wait for it: it is dispatched again. Only a Celery task's own
`self.retry()` that was waiting in a dead worker does."""


def make_app(settings: Settings, registry: Registry) -> Celery:
    """Return the app through which fires go: that of the setting `celery_app`, else taskcfg's own.

    Every type of *registry* is a Celery task of it, named `taskcfg.<type>`. Raises InvalidSettings for
    a broker of an unknown kind, and for an app that cannot be imported or cannot work.
    """
    transport.register()
    return _own_app(settings, registry) if settings.celery_app is None else _their_app(settings, registry)


def _their_app(settings: Settings, registry: Registry) -> Celery:
    app = load_app(str(settings.celery_app), settings.project_root)
    if not settings.their_broker:
        use_broker(app, settings.broker_url)
    elif app.conf.broker_write_url:
        check_broker_url(app.conf.broker_write_url, "the broker of `celery_app`")
    refuse_unfit(app, str(settings.celery_app))
    add_types(app, registry)
    return app


def _own_app(settings: Settings, registry: Registry) -> Celery:
    """Return an app with the broker of *settings*, JSON only, no results, late acks."""
    check_broker_url(settings.broker_url)
    app = Celery("taskcfg", broker=settings.broker_url, set_as_current=False)
    app.conf.update(
        accept_content=["json"],
        broker_connection_retry_on_startup=True,
        broker_transport_options=transport_options(settings.broker_url),
        enable_utc=True,
        result_backend=None,
        task_acks_late=True,
        task_ignore_result=True,
        task_queue_max_priority=_max_priority(settings),
        task_serializer="json",
        timezone="UTC",
        worker_cancel_long_running_tasks_on_connection_loss=False,
        worker_hijack_root_logger=False,
        worker_prefetch_multiplier=1,
        worker_redirect_stdouts=False,
    )
    add_types(app, registry)
    return app


def add_types(app: Celery, registry: Registry) -> None:
    """Register every type of *registry* with *app*, unless it is. Its module is imported when it runs."""
    for name in registry.names():
        if name != FOREIGN and celery_task_name(name) not in app.tasks:
            app.task(
                _body(name, registry),
                name=celery_task_name(name),
                acks_late=True,
                ignore_result=True,
                reject_on_worker_lost=False,  # then nobody would learn that an attempt is lost
                shared=False,
                typing=False,
            )


def _body(name: str, registry: Registry) -> Any:
    def run(params: Mapping[str, Any]) -> Any:
        fire = current_fire()
        if fire is None:
            raise TaskcfgError(
                f"`{celery_task_name(name)}` runs only for a fire",
                hint="let a task of this type fire, with `taskcfg run`",
            )
        return registry.named(name).run(params, fire)

    run.__name__ = run.__qualname__ = name
    return run


def transport_options(broker_url: str, visibility: float = VISIBILITY) -> dict[str, Any]:
    """Return what taskcfg's own app tells its transport; *visibility* in seconds, for Redis."""
    if not is_redis(broker_url):
        return {}
    return {
        "priority_steps": list(PRIORITY_STEPS),
        "unacked_restore_throttle": 1,
        "visibility_timeout": visibility,
        UNGATED_STEPS: [0, 3, 6, 9],  # kombu's own: whoever waits for these messages knows no others
    }


def is_redis(broker_url: str) -> bool:
    return broker_url.startswith(("redis", "sentinel"))


def _max_priority(settings: Settings) -> int | None:
    """Return what queues are declared with that nobody declared before; RabbitMQ alone asks for it."""
    amqp = settings.broker_url.startswith(("amqp", "pyamqp"))
    return HIGHEST_PRIORITY if settings.priority_queues and amqp else None
