"""Which services a test run must have, and what happens when one is missing."""

import os
from collections.abc import Callable
from typing import TypeVar

import pytest

T = TypeVar("T")

LABELS = {
    "postgres": "PostgreSQL",
    "rabbitmq": "RabbitMQ",
    "redis": "Redis",
    "editor": "yaml-language-server",
    "faketime": "libfaketime",
}


class Missing(Exception):
    """A service is not to be had on this machine; the text says what was tried."""


def required() -> frozenset[str]:
    """Return the services that `TASKCFG_TEST_REQUIRE` asks for."""
    asked = {name.strip() for name in os.environ.get("TASKCFG_TEST_REQUIRE", "").split(",") if name.strip()}
    if "all" in asked:
        return frozenset(LABELS)
    if unknown := asked - set(LABELS):
        names = ", ".join(sorted(unknown))
        raise pytest.UsageError(
            f"TASKCFG_TEST_REQUIRE: unknown service {names}; give `all` or {', '.join(LABELS)}"
        )
    return frozenset(asked)


def resolve_or_skip(service: str, resolve: Callable[[], T]) -> T:
    """Return what *resolve* finds; without the service, skip the test, or fail it where it is required."""
    try:
        return resolve()
    except Missing as missing:
        reason = f"needs {LABELS[service]} ({missing})"
    if service in required():
        pytest.fail(reason, pytrace=False)
    pytest.skip(reason)


def not_run(reasons: list[str]) -> list[str]:
    """Return one line for each missing service, from the skip reasons of a run."""
    lines = []
    for label in LABELS.values():
        mine = [reason for reason in reasons if reason.startswith(f"needs {label} (")]
        if mine:
            why = mine[0].removeprefix(f"needs {label} ")
            tests = "1 test needs" if len(mine) == 1 else f"{len(mine)} tests need"
            lines.append(f"not run: {tests} {label} {why}")
    return lines
