"""What in a user's own Celery app gets in the way of the promise, and how it is said."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from celery import Celery
from kombu import Connection
from kombu.utils.url import maybe_sanitize_url

from taskcfg.dispatch.reach import check_broker_url
from taskcfg.errors import InvalidSettings, TaskcfgError
from taskcfg.settings import Settings

PREFORK = ("prefork", "processes")
"""How the pool is named that can stop a task."""


@dataclass(frozen=True, slots=True)
class Remark:
    """Something about the app that its owner should know; `about` names it in one word.

    `broken`: fires do not run as they are.
    """

    about: str
    reason: str
    hint: str
    broken: bool = False


def refuse_unfit(app: Celery, name: str) -> None:
    """Raise InvalidSettings where *app*, the setting `celery_app`, would never send anything."""
    if app.conf.task_always_eager:
        raise InvalidSettings(
            f"celery_app: `{name}` has `task_always_eager` on: it sends nothing to workers",
            hint="turn it off outside of tests",
        )
    for setting, use in (("broker_url", _connection), ("task_routes", _routes)):
        try:
            use(app)
        except TaskcfgError:
            raise
        except Exception as error:  # an app's own settings can raise anything
            raise InvalidSettings(
                f"celery_app: `{setting}` of `{name}` cannot be used: {type(error).__name__}: {error}",
                hint="mend the app's settings",
            ) from error


def use_broker(app: Celery, url: str) -> None:
    """Have *app* use the broker *url* in place of its own. Raises InvalidSettings."""
    check_broker_url(url)
    app.conf.update(broker_url=url, broker_read_url=url, broker_write_url=url)
    for variable, found in (
        ("CELERY_BROKER_READ_URL", app.conf.broker_read_url),
        ("CELERY_BROKER_WRITE_URL", app.conf.broker_write_url),
    ):
        if found != url:
            raise InvalidSettings(
                f"the environment: `{variable}` goes before `broker_url`",
                hint="take one of them away: with `celery_app` its own broker is used",
            )


def their_url(app: Celery) -> str:
    """Return the URL of the broker that *app* publishes to, without a password."""
    url: str = maybe_sanitize_url(app.connection_for_write().as_uri())
    return url


def broker_differs(app: Celery, settings: Settings) -> Remark | None:
    """Say that fires go where *app*'s workers do not look, as far as this process's settings tell."""
    if "broker_url" not in settings.given:
        return None
    here, there = app.connection_for_read().as_uri(), Connection(settings.broker_url).as_uri()
    if here == there:
        return None
    return Remark(
        "broker",
        f"taskcfg publishes to {maybe_sanitize_url(there)}, and this app's workers read from"
        f" {maybe_sanitize_url(here)}",
        "leave `broker_url` away and name the app in `celery_app`, or give both the same URL",
        broken=True,
    )


def remarks(app: Celery, pool: str | None = None) -> Iterator[Remark]:
    """Yield what in *app*'s own settings its owner should know; *pool* is that of a running worker."""
    conf = app.conf
    pool = pool or str(conf.worker_pool)
    if pool.partition(":")[0].rpartition(".")[2] not in PREFORK:
        yield Remark(
            "pool",
            f"the pool `{pool}` cannot stop a task: `timeout` is not kept there, nor is a fire cancelled",
            "use the prefork pool where timeouts matter",
        )
    if conf.task_serializer not in _accepted(conf):
        yield Remark(
            "content",
            f"`accept_content` has not `{conf.task_serializer}`, in which the app sends",
            "its workers refuse every message of it: add it",
            broken=True,
        )
    if conf.task_acks_late and not _acknowledges_ends(conf):
        yield Remark(
            "acks",
            "`task_acks_on_failure_or_timeout` is off: a fire's message goes back to the queue when it fails",
            "nothing runs twice, since taskcfg refuses the copy; but every failure is said twice in the log",
        )


def short_visibility(app: Celery, longest: float) -> Remark | None:
    """Say that Redis hands out again what still runs, when a task may take *longest* seconds."""
    if app.connection_for_read().transport.driver_type != "redis":
        return None
    visibility = app.conf.broker_transport_options.get("visibility_timeout", 3600)
    if not isinstance(visibility, int | float):
        return Remark("redis", f"`visibility_timeout` is {visibility!r}, and no number of seconds", "mend it")
    if visibility > longest:
        return None
    return Remark(
        "redis",
        f"Redis hands a message out again after {visibility:g} s, and a task may take {longest:g} s",
        "set `visibility_timeout` in `broker_transport_options` above the longest `timeout`;"
        " taskcfg refuses the copies of its own fires, your other messages run twice",
    )


def _connection(app: Celery) -> Any:
    return app.connection_for_write().transport


def _routes(app: Celery) -> Any:
    """Import the routers that are named by a path."""
    return [route.evaluate() for route in app.amqp.routes if hasattr(route, "evaluate")]


def _accepted(conf: Any) -> set[str]:
    from kombu.serialization import registry

    return {registry.type_to_name.get(kind, kind) for kind in conf.accept_content or ()}


def _acknowledges_ends(conf: Any) -> bool:
    return all(
        conf.get(name) is not False
        for name in ("task_acks_on_failure_or_timeout", "task_acks_on_failure", "task_acks_on_timeout")
    )
