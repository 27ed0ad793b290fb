"""Where a message goes: the app's own routing, followed to the letter."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from celery import Celery, Task
from celery.exceptions import QueueNotFound
from kombu import Exchange, Queue
from kombu.common import Broadcast
from kombu.entity import maybe_delivery_mode

EXEC_OPTIONS = ("queue", "routing_key", "exchange", "priority", "serializer", "delivery_mode", "compression")
"""What a Celery task's class may say about its messages; its `expires` is not ours to keep."""

_NOT_PROPERTIES = (
    "retry", "retry_policy", "timeout", "confirm_timeout", "immediate", "mandatory", "expires",
    "event_dispatcher", "ignore_result", "shadow", "add_to_parent", "link", "link_error", "stamped_headers",
)  # fmt: skip


class QueueMissing(Exception):
    """The app's routing names a queue that its `task_queues` do not have, or leads nowhere else."""


@dataclass(frozen=True, slots=True)
class Route:
    """Where and how messages are published.

    `queue` is what the app declares before it publishes there, `place` what this is remembered
    under. It is None for a queue that the app does not know: whoever serves it declares it.
    """

    exchange: str
    routing_key: str
    queue: Queue | None
    queue_name: str
    place: tuple[str, str | None]
    serializer: str
    compression: str | None
    headers: Mapping[str, Any]
    properties: Mapping[str, Any]


class Router:
    """Asks *app* where its messages go, without changing the app's queues."""

    def __init__(self, app: Celery) -> None:
        self._app = app
        self._known = frozenset({*app.amqp.queues, *app.amqp.queues.aliases})

    def route(
        self, name: str, task: Task | None, options: Mapping[str, Any], args: Any, kwargs: Any
    ) -> Route:
        """Return where the Celery task *name* with *options* goes. Raises QueueMissing."""
        inherited = {key: getattr(task, key, None) for key in EXEC_OPTIONS} if task is not None else {}
        merged = {**inherited, **options}
        if isinstance(merged.get("queue"), str) and merged["queue"] not in self._known:
            merged["queue"] = Queue(merged["queue"], Exchange(""), routing_key=merged["queue"])
        try:
            routed = dict(self._app.amqp.router.route(merged, name, args, kwargs, task))
        except QueueNotFound as error:
            raise QueueMissing(str(error)) from error
        except Exception as error:  # a router of the user's own can raise anything
            raise QueueMissing(f"the app's routing failed: {type(error).__name__}: {error}") from error
        queue = routed.pop("queue", None)
        if queue is None and not routed.get("exchange"):
            queue = self._app.amqp.default_queue
        return self._as_route(queue, routed)

    def _as_route(self, queue: Queue | None, routed: dict[str, Any]) -> Route:
        for key in _NOT_PROPERTIES:
            routed.pop(key, None)
        exchange, routing_key, mode = self._place(queue, routed)
        conf = self._app.conf
        declared = None
        if queue is not None and queue.name in self._known and not isinstance(queue, Broadcast):
            declared = queue
        return Route(
            exchange=exchange,
            routing_key=routing_key,
            queue=declared,
            queue_name=routing_key if queue is None else queue.name,
            place=(exchange, declared.name if declared is not None else None),
            serializer=routed.pop("serializer", None) or conf.task_serializer,
            compression=routed.pop("compression", None) or conf.task_compression,
            headers=routed.pop("headers", None) or {},
            properties={**routed, "delivery_mode": mode},
        )

    def _place(self, queue: Queue | None, routed: dict[str, Any]) -> tuple[str, str, int]:
        """Take exchange, routing key and delivery mode out of *routed*, as `send_task_message` does."""
        conf = self._app.conf
        exchange, routing_key = routed.pop("exchange", None), routed.pop("routing_key", None)
        kind = routed.pop("exchange_type", None)
        mode = routed.pop("delivery_mode", None)
        if queue is not None:
            kind = kind or queue.exchange.type
            mode = mode or queue.exchange.delivery_mode
        unknown = queue is not None and queue.name not in self._known
        if unknown or ((not exchange or not routing_key) and (kind or "direct") == "direct"):
            exchange, routing_key = "", queue.name if queue is not None else routing_key
        elif exchange is None and queue is not None:
            exchange = queue.exchange.name or self._app.amqp.default_exchange
            routing_key = routing_key or queue.routing_key or conf.task_default_routing_key
        mode = mode or conf.task_default_delivery_mode
        if isinstance(exchange, Exchange):
            exchange, mode = exchange.name, mode or exchange.delivery_mode
        return exchange, routing_key or "", maybe_delivery_mode(mode)
