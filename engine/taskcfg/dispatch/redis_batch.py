"""What kombu would send to Redis for many messages, in fewer commands: each costs Redis and us as much as
the message in it.

kombu makes the messages, finds their queues and words the commands, as ever; only LPUSHes to one list
that follow each other become one.
"""

from __future__ import annotations

from typing import Any

from kombu.exceptions import BatchPublishError

PUSH = 100
"""How many messages one LPUSH carries."""


class RedisBatch:
    """The commands of one batch on a Redis *channel*, sent together and not in a transaction."""

    def __init__(self, channel: Any) -> None:
        self._channel = channel
        self._commands: list[tuple[str, list[Any]]] = []

    def publish(self, message: Any, *, exchange: str, routing_key: str) -> None:
        """Have kombu route *message*, made by its channel, and keep the commands. Raises EncodeError."""
        self._channel.basic_publish(message, exchange=exchange, routing_key=routing_key, _publish_batch=self)

    def add(self, name: str, *arguments: Any) -> None:
        """Keep one command: kombu calls this for each."""
        if name == "lpush" and self._commands:
            last, pushed = self._commands[-1]
            if last == name and pushed[0] == arguments[0] and len(pushed) <= PUSH:
                pushed += arguments[1:]
                return
        self._commands.append((name, list(arguments)))

    def send(self) -> None:
        """Send what was kept, and wait for the answers. Raises BatchPublishError, whatever went wrong."""
        if not self._commands:
            return
        try:
            with self._channel.conn_or_acquire() as client, client.pipeline(transaction=False) as pipeline:
                for name, arguments in self._commands:
                    getattr(pipeline, name)(*arguments)
                pipeline.execute()
        except Exception as error:
            raise BatchPublishError("what was published to Redis may have arrived, or not") from error
