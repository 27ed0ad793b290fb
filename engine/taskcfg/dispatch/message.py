"""From a recorded fire to the message that Celery's own `apply_async` would send for it."""

from __future__ import annotations

import marshal
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from celery import Celery, Task
from celery.app.routes import MapRoute
from celery.utils.saferepr import saferepr
from kombu import serialization
from kombu.compression import compress

from taskcfg.dispatch.fitting import CannotSend, called, check_options, check_size
from taskcfg.dispatch.route import QueueMissing, Route, Router
from taskcfg.spec.fires import Outgoing

EVENT_HEADER = "taskcfg_event"
DISPATCH_HEADER = "taskcfg_dispatch"
DATABASE_HEADER = "taskcfg_database"

OURS = frozenset({"task", "args", "kwargs", "queue", "priority", "time_limit", "soft_time_limit"})
MOST_TEMPLATES = 1024
MOST_BODIES = 2048
LARGEST_CACHED_BODY = 4096

_EMBED: Mapping[str, None] = {"callbacks": None, "errbacks": None, "chain": None, "chord": None}


@dataclass(slots=True)
class Message:
    """A protocol-2 message with the place it goes to.

    `payload` is `(args, kwargs, embed)`, as `before_task_publish` hands it to its receivers, who
    may still change it, the headers and the properties; `encoded` turns it into bytes.
    """

    task: str
    payload: tuple[Any, Any, Any]
    headers: dict[str, Any]
    properties: dict[str, Any]
    route: Route


@dataclass(frozen=True, slots=True)
class Encoded:
    """What goes over the wire beside headers and properties."""

    body: bytes | str
    content_type: str
    content_encoding: str
    compression: str | None = None


@dataclass(frozen=True, slots=True)
class _Template:
    """What messages of one Celery task with the same options have in common."""

    route: Route
    headers: Mapping[str, Any]
    properties: Mapping[str, Any]
    task: Task | None


@dataclass(slots=True)
class _Bounded:
    """A cache of the most recent *size* things; the oldest makes room."""

    size: int
    entries: dict[Any, Any] = field(default_factory=dict)

    def put(self, key: Any, value: Any) -> None:
        if len(self.entries) >= self.size:
            del self.entries[next(iter(self.entries))]
        self.entries[key] = value


class MessageMaker:
    """Makes messages for *app* out of fires recorded in the database *database*.

    A message equals what `apply_async` would send with the fire's id and options, and our three
    headers; only a Celery task's own `expires` is left out, since a message that its worker
    drops unseen would leave the fire without an end. Whatever messages share is made once.
    """

    def __init__(self, app: Celery, database: UUID | None, *, largest: int | None = None) -> None:
        self._app = app
        self._largest = largest
        self.name_database(database)
        self._router = Router(app)
        self._longest_repr, self._levels = app.amqp.argsrepr_maxsize, app.conf.task_repr_maxlevels
        self._templates = _Bounded(MOST_TEMPLATES)
        self._bodies = _Bounded(MOST_BODIES)
        # a router that is a function may look at the arguments, so it is asked for every fire
        self._by_name = all(isinstance(route, MapRoute) for route in app.amqp.routes)

    def name_database(self, database: UUID | None) -> None:
        """Have messages say from now on that their fires are recorded in *database*."""
        self._database = {DATABASE_HEADER: str(database)} if database is not None else {}

    def message(self, fire: Outgoing) -> Message:
        """Return *fire*'s message. Raises CannotSend, QueueMissing; nothing else, whatever is recorded."""
        try:
            return self._made(fire)
        except (CannotSend, QueueMissing):
            raise
        except Exception as error:  # a row that somebody wrote by hand can hold anything
            raise CannotSend(f"it cannot be made into a message: {type(error).__name__}: {error}") from error

    def _made(self, fire: Outgoing) -> Message:
        frozen = fire.message
        name, args, kwargs = called(frozen)
        template = self._template(name, frozen, args, kwargs)
        celery_id = str(fire.celery_id)
        headers = {
            **template.headers,
            "id": celery_id,
            "root_id": celery_id,
            "argsrepr": self._repr(args),
            "kwargsrepr": self._repr(kwargs),
            **(self._ours(fire) if frozen.get("gate", True) else {}),
        }
        if template.task is not None and type(template.task).shadow_name is not Task.shadow_name:
            headers["shadow"] = template.task.shadow_name(args, kwargs, {})
        properties = {**template.properties, "correlation_id": celery_id}
        return Message(name, (args, kwargs, dict(_EMBED)), headers, properties, template.route)

    def _ours(self, fire: Outgoing) -> dict[str, Any]:
        """Return the headers by which a gate knows the fire: none may act where none is asked for."""
        return {EVENT_HEADER: str(fire.event_id), DISPATCH_HEADER: fire.dispatch_no, **self._database}

    def encoded(self, message: Message) -> Encoded:
        """Return the body as bytes, from memory if it was made before. Raises CannotSend, also for
        one that is larger than messages may be.

        A compressed body says so in *message*'s headers.
        """
        route = message.route
        try:
            key = (route.serializer, route.compression, marshal.dumps(message.payload, 2))
        except ValueError:  # a value of a type that JSON knows and marshal does not
            key = None
        encoded: Encoded | None = self._bodies.entries.get(key) if key else None
        if encoded is None:
            encoded = _encode(message.payload, route)
            check_size(encoded.body, self._largest)
            if key and len(encoded.body) <= LARGEST_CACHED_BODY:
                self._bodies.put(key, encoded)
        if encoded.compression:
            message.headers["compression"] = encoded.compression
        return encoded

    def _template(self, name: str, frozen: Mapping[str, Any], args: Any, kwargs: Any) -> _Template:
        options = {key: frozen[key] for key in OURS if frozen.get(key) is not None}
        for key in ("task", "args", "kwargs"):
            options.pop(key, None)
        kind = (name, *sorted(options.items()))
        template: _Template | None = self._templates.entries.get(kind)
        if template is None:
            template = self._make_template(name, options, args, kwargs)
            if self._by_name:
                self._templates.put(kind, template)
        return template

    def _make_template(self, name: str, options: dict[str, Any], args: Any, kwargs: Any) -> _Template:
        check_options(options)
        task = self._app.tasks.get(name)
        limits = {
            limit: options.pop(limit, getattr(task, limit, None))
            for limit in ("time_limit", "soft_time_limit")
        }
        route = self._router.route(name, task, options, args, kwargs)
        made = self._app.amqp.as_task_v2(
            "", name, argsrepr="", kwargsrepr="", reply_to=self._app.thread_oid,
            ignore_result=getattr(task, "ignore_result", None), **limits,
        )  # fmt: skip
        return _Template(
            route, {**made.headers, **route.headers}, {**made.properties, **route.properties}, task
        )

    def _repr(self, value: Any) -> str:
        """Return Celery's `saferepr` of *value*, by a short cut where `repr` gives the same."""
        limit = self._longest_repr
        text = repr(value)
        if len(text) < limit and "\\" not in text and '"' not in text and _is_shallow(value, self._levels):
            return text
        return str(saferepr(value, limit, maxlevels=self._levels))


def _encode(payload: tuple[Any, Any, Any], route: Route) -> Encoded:
    try:
        content_type, encoding, body = serialization.dumps(payload, serializer=route.serializer)
    except Exception as error:  # serialisers are anybody's, and so is what they raise
        raise CannotSend(f"cannot be serialised as {route.serializer}: {error}") from error
    if not route.compression:
        return Encoded(body, content_type, encoding)
    try:
        squeezed, compression = compress(body, route.compression)
    except Exception as error:
        raise CannotSend(f"cannot be compressed as {route.compression}: {error}") from error
    return Encoded(squeezed, content_type, encoding, compression)


def _is_shallow(value: Any, levels: int) -> bool:
    """Say whether *value* is JSON nested at most *levels* deep."""
    if isinstance(value, dict):
        return levels > 0 and all(_is_shallow(item, levels - 1) for item in value.values())
    if isinstance(value, list | tuple):
        return levels > 0 and all(_is_shallow(item, levels - 1) for item in value)
    return value is None or isinstance(value, str | int | float)
