"""What `taskcfg doctor` says of the broker: whether it keeps messages, and what tasks ask of its queues."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from taskcfg.celery.priorities import steps_of
from taskcfg.control.celery_app import DefaultQueues
from taskcfg.control.findings import Finding, named, ok, warn
from taskcfg.dispatch.immediate import PRIORITY_STEPS
from taskcfg.dispatch.standing_queues import StandingQueue, standing_queues
from taskcfg.errors import count
from taskcfg.spec.task import TaskSpec

USUAL = 5
"""The priority of a task that names none."""

CHECK = "priorities"
CONNECT_TIMEOUT = 4.0
KEEPING = ("redis", "embedded")

MAKE_IT = (
    "set `priority_queues = true`, let the queue run empty, stop its workers, delete it and start them;"
    " or declare it with `x-max-priority: 9`"
)
TEN_STEPS = (
    "give every worker `broker_transport_options = {'priority_steps': list(range(10))}`, workers first"
)


def messages_kept(app: Any) -> Iterator[Finding]:
    """Whether Redis may throw messages away when its memory is full; nothing of other brokers, nor where
    it does not say."""
    connection = app.connection_for_write(connect_timeout=CONNECT_TIMEOUT)
    if connection.transport.driver_type != "redis":
        return
    with connection:
        try:
            policy = connection.default_channel.client.config_get("maxmemory-policy").get("maxmemory-policy")
        except connection.connection_errors + connection.channel_errors:
            return  # not every hosted Redis lets anybody ask; one that is away is another check's
    if policy is not None and policy != "noeviction":
        yield warn(
            "broker_memory",
            f"Redis throws messages away when its memory is full: its `maxmemory-policy` is {policy}",
            "set `maxmemory-policy noeviction` in the Redis that is the broker, and keep caches in another",
        )


def priorities_kept(app: Any, theirs: bool, live: Iterable[TaskSpec]) -> Iterator[Finding]:
    """Whether a priority other than the usual is kept in the queue its task's fires go to.

    Looks at the queues as they stand; *theirs* says that *app* is the user's own. Nothing without such tasks.
    """
    queue_of = DefaultQueues(app if theirs else None)
    urgent: dict[str, list[TaskSpec]] = {}
    for spec in live:
        if spec.priority != USUAL:
            urgent.setdefault(queue_of(spec), []).append(spec)
    if not urgent:
        return
    connection = app.connection_for_write(connect_timeout=CONNECT_TIMEOUT)
    kind = connection.transport.driver_type
    if kind == "amqp":
        yield from _on_rabbitmq(connection, urgent)
    elif kind == "redis" and theirs and not {*PRIORITY_STEPS} <= {*steps_of(app)}:
        apart = len({*steps_of(app)})
        yield warn(
            CHECK,
            f"with the app's `priority_steps` Redis tells {apart} of ten apart: {_named(urgent)}",
            TEN_STEPS,
        )
    elif kind not in KEEPING:
        yield warn(CHECK, f"this broker may keep no priorities: {_named(urgent)}", "use RabbitMQ or Redis")
    else:
        yield ok(CHECK, f"{count(sum(map(len, urgent.values())), 'task')} with one of their own, all kept")


def _on_rabbitmq(connection: Any, urgent: Mapping[str, Sequence[TaskSpec]]) -> Iterator[Finding]:
    standing = standing_queues(connection, sorted(urgent))
    if standing is None:
        return  # the check of the broker itself says why
    plain = [queue for queue in standing.values() if queue is not None and not queue.keeps_priorities]
    for queue in plain:
        names = _named({queue.name: urgent[queue.name]})
        yield warn(CHECK, f"{_described(queue)}, and cannot keep the priority of {names}", MAKE_IT)
    if not plain:
        known = sum(queue is not None for queue in standing.values())
        yield ok(CHECK, f"{count(known, 'queue')} of RabbitMQ looked at, all keep them")


def _described(queue: StandingQueue) -> str:
    if queue.kind != "classic":
        return f"queue `{queue.name}` is a {queue.kind} queue"
    if queue.max_priority:
        return f"queue `{queue.name}` has `x-max-priority: {queue.max_priority}`"
    return f"queue `{queue.name}` has no `x-max-priority`"


def _named(urgent: Mapping[str, Sequence[TaskSpec]]) -> str:
    return named(sorted(spec.name for specs in urgent.values() for spec in specs))
