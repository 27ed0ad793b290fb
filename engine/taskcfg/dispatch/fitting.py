"""What a recorded fire must be like to become a message: the checks that others need not make again."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

LONGEST_NAME = 255
"""Bytes that AMQP has room for in the name of a queue."""

LOWEST, HIGHEST = 0, 9
"""Priorities."""


class CannotSend(Exception):
    """This fire cannot be made into a message, now or later; the others can."""


def called(frozen: object) -> tuple[str, Any, Any]:
    """Return the Celery task's name, and its positional and named arguments. Raises CannotSend."""
    if not isinstance(frozen, Mapping):
        raise CannotSend("the recorded message is no JSON object")
    try:
        name, args, kwargs = frozen["task"], frozen["args"] or (), frozen["kwargs"] or {}
    except KeyError as error:
        raise CannotSend(f"the recorded message has no {error}") from error
    if not isinstance(name, str) or not name:
        raise CannotSend("the recorded message's `task` is no name")
    if not isinstance(args, list | tuple) or not isinstance(kwargs, Mapping):
        raise CannotSend("the recorded message's `args` are no list, or its `kwargs` no object")
    return name, args, kwargs


def check_options(options: Mapping[str, Any]) -> None:
    """Raise CannotSend where the queue, the priority or a limit is none."""
    queue = options.get("queue")
    if queue is not None and not (isinstance(queue, str) and 0 < _bytes(queue) <= LONGEST_NAME):
        raise CannotSend(f"the recorded message's queue is no name of 1 to {LONGEST_NAME} bytes")
    priority = options.get("priority")
    if priority is not None and not (_is_number(priority, int) and LOWEST <= priority <= HIGHEST):
        raise CannotSend(f"the recorded message's priority is no whole number from {LOWEST} to {HIGHEST}")
    for limit in ("time_limit", "soft_time_limit"):
        seconds = options.get(limit)
        if seconds is not None and not (_is_number(seconds, (int, float)) and seconds > 0):
            raise CannotSend(f"the recorded message's {limit} is no number of seconds")


def check_size(body: bytes | str, largest: int | None) -> None:
    """Raise CannotSend for a *body* of more than *largest* bytes."""
    if largest is not None and (size := _bytes(body)) > largest:
        raise CannotSend(
            f"its message has {size:,} bytes, and `max_message_size` is {largest:,}:"
            " have the task fetch what is large from where it is stored"
        )


def _bytes(value: bytes | str) -> int:
    if isinstance(value, bytes) or value.isascii():
        return len(value)
    return len(value.encode("utf-8", "surrogatepass"))


def _is_number(value: object, kind: type | tuple[type, ...]) -> bool:
    return isinstance(value, kind) and not isinstance(value, bool)
