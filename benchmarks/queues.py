"""The queues that benchmarks publish to, of our own on each broker: how much is in one, and what."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Protocol

import kombu

import services


class Queue(Protocol):
    """A queue whose depth is asked for from outside; `broker` is the URL of the broker it lies in."""

    name: str
    broker: str

    def depth(self) -> int: ...

    def drain(self) -> list[tuple[Any, str]]:
        """Empty it and return the first argument and the id of every message, in the order they lay in."""

    def delete(self) -> None: ...


class RabbitQueue:
    """A durable RabbitMQ queue."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.broker = services.RABBITMQ_URL
        self._connection = kombu.Connection(self.broker)
        self._connection.connect()
        self._channel = self._connection.channel()
        self._channel.queue_declare(name, durable=True, auto_delete=False)

    def depth(self) -> int:
        return int(self._channel.queue_declare(self.name, passive=True).message_count)

    def drain(self) -> list[tuple[Any, str]]:
        expected, found = self.depth(), []

        def keep(message: Any) -> None:
            found.append((_first_argument(message.body), message.properties["correlation_id"]))

        tag = self._channel.basic_consume(self.name, no_ack=True, callback=keep)
        while len(found) < expected:
            self._connection.drain_events(timeout=30)
        self._channel.basic_cancel(tag)
        return found

    def arrivals(self, timeout: float) -> Iterator[tuple[float, Any]]:
        """Consume: yield the time at which each message arrived, as `time.time()`, and the message.

        Ends when nothing has arrived for *timeout* seconds, or when it is closed.
        """
        arrived: list[tuple[float, Any]] = []
        tag = self._channel.basic_consume(
            self.name, no_ack=True, callback=lambda message: arrived.append((time.time(), message))
        )
        try:
            while True:
                self._connection.drain_events(timeout=timeout)
                yield from arrived
                arrived.clear()
        except TimeoutError:
            return
        finally:
            self._channel.basic_cancel(tag)

    def first_arrival(self, timeout: float) -> float | None:
        """Consume until something arrives; return when, as `time.time()`, or None."""
        arrivals = self.arrivals(timeout)
        found = next(arrivals, None)
        arrivals.close()
        return found[0] if found else None

    def purge(self) -> None:
        self._channel.queue_purge(self.name)

    def delete(self) -> None:
        """Delete it and the exchange that Celery makes beside a queue."""
        self._channel.queue_delete(self.name)
        self._channel.exchange_delete(self.name)
        self._connection.release()


class RedisQueue:
    """The lists in Redis that kombu keeps for a queue: one for each step of priority."""

    SEPARATOR = "\x06\x16"
    STEPS = ("", *"123456789")
    """Kombu's own are four of them, taskcfg's ten."""

    def __init__(self, name: str) -> None:
        import redis

        self.name = name
        self.broker = services.REDIS_URL
        self._redis = redis.Redis.from_url(self.broker)
        self._keys = [f"{name}{self.SEPARATOR}{step}" if step else name for step in self.STEPS]

    def depth(self) -> int:
        pipeline = self._redis.pipeline(transaction=False)
        for key in self._keys:
            pipeline.llen(key)
        return sum(pipeline.execute())

    def drain(self) -> list[tuple[Any, str]]:
        found = []
        for key in self._keys:
            for text in reversed(self._redis.lrange(key, 0, -1)):
                message = json.loads(text)
                body = _first_argument(base64.b64decode(message["body"]))
                found.append((body, message["properties"]["correlation_id"]))
            self._redis.delete(key)
        return found

    def delete(self) -> None:
        bindings = (f"_kombu.binding.{self.name}", f"_kombu.binding_permanent.{self.name}")
        self._redis.delete(*self._keys, *bindings)
        self._redis.close()


def _first_argument(body: bytes | str) -> Any:
    return json.loads(body)[0][0]


KINDS = {"rabbitmq": RabbitQueue, "redis": RedisQueue}


@contextmanager
def own_queue(kind: str) -> Iterator[Queue]:
    """Make an empty queue on the broker of *kind*, `rabbitmq` or `redis`, and delete it afterwards."""
    queue: Queue = KINDS[kind](services.own_name())
    try:
        yield queue
    finally:
        queue.delete()


@contextmanager
def own_rabbit_queue() -> Iterator[RabbitQueue]:
    queue = RabbitQueue(services.own_name())
    try:
        yield queue
    finally:
        queue.delete()
