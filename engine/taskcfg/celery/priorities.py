"""Priorities on Redis: which of kombu's lists a worker looks into."""

from __future__ import annotations

from typing import Any

from celery import Celery

from taskcfg.dispatch.immediate import PRIORITY_STEPS

KOMBU_STEPS = (0, 3, 6, 9)
"""kombu's own, which are not among its public names."""


def steps_of(app: Celery) -> tuple[int, ...]:
    """Return the steps that *app*'s settings tell apart."""
    return tuple(app.conf.broker_transport_options.get("priority_steps") or KOMBU_STEPS)


def read_every_priority(app: Celery) -> None:
    """Have this worker of *app* look into the lists of all priorities on Redis, beside its own.

    A scheduler that publishes with taskcfg's own app uses all ten, and a worker never sees a message
    in a list it does not know of. What the app sends itself goes where it went before.
    """
    if app.connection_for_read().transport.driver_type != "redis":
        return
    steps = sorted({*PRIORITY_STEPS, *steps_of(app)})
    connection_for_read = app.connection_for_read

    def with_every_priority(url: str | None = None, **options: Any) -> Any:
        given = options.pop("transport_options", None) or {}
        return connection_for_read(url, transport_options={**given, "priority_steps": steps}, **options)

    app.connection_for_read = with_every_priority
