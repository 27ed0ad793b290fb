"""For tests, ours and those of our users' types: a clock to turn by hand, and makers of values."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from taskcfg.spec.schedule import Every, Schedule
from taskcfg.spec.task import TaskSpec
from taskcfg.types.fire import Fire

SPRING_FORWARD = datetime(2026, 3, 29, tzinfo=UTC)
"""A day with a clock change in most of Europe: tests that do not care should survive it."""


class FakeClock:
    """A Clock that stands still until it is told otherwise; `sleep` moves it on at once."""

    def __init__(self, now: datetime = SPRING_FORWARD) -> None:
        self._now = now
        self._monotonic = 0.0

    def now(self) -> datetime:
        return self._now

    def monotonic(self) -> float:
        return self._monotonic

    def sleep(self, seconds: float) -> None:
        self.advance(timedelta(seconds=seconds))

    def advance(self, duration: timedelta) -> None:
        """Move both the wall clock and the monotonic clock on."""
        self._now += duration
        self._monotonic += duration.total_seconds()

    def jump(self, duration: timedelta) -> None:
        """Move the wall clock only, as an operator or NTP does."""
        self._now += duration


def make_spec(name: str = "nightly", *, schedule: Schedule | None = None, **fields: Any) -> TaskSpec:
    """Return a valid task that differs from the defaults only where told: `every: 1h`, type `cleanup`."""
    params = {"target": "files", "path": "var", "pattern": "*", "older_than": 86_400}
    values: dict[str, Any] = {"type": "cleanup", "params": params, **fields}
    return TaskSpec(name=name, schedule=schedule or Every(timedelta(hours=1)), **values)


def make_fire(task: str = "nightly", **fields: Any) -> Fire:
    """Return what a type's function gets: the first attempt of a manual fire, but for what is told.

    Its instants are `SPRING_FORWARD`, and its ids are always the same.
    """
    values: dict[str, Any] = {
        "id": UUID(int=1),
        "kind": "manual",
        "nominal_at": SPRING_FORWARD,
        "fire_at": fields.get("nominal_at", SPRING_FORWARD),
        "attempt": 1,
        "celery_id": UUID(int=2),
    }
    return Fire(task=task, **{**values, **fields})
