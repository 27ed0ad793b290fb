"""What a queue that stands at the broker is like, whatever anybody meant to declare."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from amqp.exceptions import ChannelError, NotFound, PreconditionFailed
from kombu import Connection
from kombu.exceptions import OperationalError

IMPOSSIBLE = 300
"""A priority that no queue can have: RabbitMQ knows 255 at most. It tells what stands in the way of
declaring a queue that is there, and refuses to make one that is not."""

MOST_LOOKS = 12

_DIFFERS = re.compile(
    r"inequivalent arg '([^']+)'.* but current is (?:none|(?:the value )?'([^']*)')", re.DOTALL
)
_FLAGS = ("durable", "auto_delete", "exclusive")


@dataclass(slots=True)
class _Asked:
    flags: dict[str, bool] = field(default_factory=lambda: {"durable": True, "auto_delete": False})
    arguments: dict[str, Any] = field(default_factory=lambda: {"x-max-priority": IMPOSSIBLE})


@dataclass(frozen=True, slots=True)
class StandingQueue:
    """A queue of RabbitMQ's: its `kind` is classic, quorum or stream; `max_priority` is 0 without any."""

    name: str
    kind: str
    max_priority: int

    @property
    def keeps_priorities(self) -> bool:
        """Whether our ten priorities are told apart there."""
        return self.max_priority >= 9


def standing_queues(connection: Connection, names: Iterable[str]) -> dict[str, StandingQueue | None] | None:
    """Return what each of the queues *names* is like, and close *connection*; None where that is broken."""
    try:
        with connection:
            return {name: standing_queue(connection, name) for name in names}
    except (*connection.connection_errors, OperationalError, OSError):
        return None


def standing_queue(connection: Connection, name: str) -> StandingQueue | None:
    """Return what the queue *name* is like; None where there is none, or it does not tell.

    Makes no queue and changes none. Raises what *connection* raises when it is lost.
    """
    if not _is_there(connection, name):
        return None
    asked = _Asked()
    for _ in range(MOST_LOOKS):
        found = _DIFFERS.search(_refusal(connection, name, asked))
        if found is None:
            return None
        argument, value = found[1], found[2]
        if argument == "x-max-priority":
            return StandingQueue(name, "classic", int(value or 0))
        if argument == "x-queue-type" and value != "classic":
            return StandingQueue(name, value or "classic", 0)
        if argument in _FLAGS:
            asked.flags[argument] = value == "true"
        elif value is None:
            asked.arguments.pop(argument, None)
        else:
            asked.arguments[argument] = int(value) if value.lstrip("-").isdigit() else value
    return None


def _is_there(connection: Connection, name: str) -> bool:
    try:
        with connection.channel() as channel:
            channel.queue_declare(name, passive=True)
    except NotFound:
        return False
    except ChannelError:
        return True  # it is there, and locked, or not ours to look at
    return True


def _refusal(connection: Connection, name: str, asked: _Asked) -> str:
    try:
        with connection.channel() as channel:
            channel.queue_declare(name, arguments=asked.arguments, **asked.flags)
    except PreconditionFailed as error:
        return str(error)
    except ChannelError:
        return ""
    return ""
