"""Waiting for something that happens in its own time: the only way a test waits."""

import time
from collections.abc import Callable
from typing import TypeVar

import pytest

T = TypeVar("T")


def eventually(
    predicate: Callable[[], T],
    *,
    timeout: float = 60.0,
    interval: float = 0.05,
    message: str | Callable[[], str] = "what was waited for did not happen",
) -> T:
    """Ask *predicate* every *interval* seconds and return its first true answer.

    Fails the test when *timeout* seconds have passed; *message*, or what it
    returns then, says what was missing. The timeout is there for broken code,
    not for slow machines: give it generously. Exceptions pass through.
    """
    deadline = time.monotonic() + timeout
    while not (answer := predicate()):
        if time.monotonic() > deadline:
            text = message if isinstance(message, str) else message()
            pytest.fail(f"after {timeout:g} s: {text}")
        time.sleep(interval)
    return answer
