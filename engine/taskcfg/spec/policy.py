"""What happens when a fire is late, fails, runs long or meets the one before it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum
from typing import Any

from taskcfg.spec.duration import optional_duration, optional_seconds, seconds


class Backoff(StrEnum):
    FIXED = "fixed"
    EXPONENTIAL = "exponential"


class OverlapMode(StrEnum):
    """What a fire does when an earlier one of its task is still live."""

    SKIP = "skip"
    WAIT = "wait"
    ALLOW = "allow"
    REPLACE = "replace"


class CatchUp(StrEnum):
    """Which of the missed fires are made up for."""

    NONE = "none"
    LATEST = "latest"
    ALL = "all"


class Delivery(StrEnum):
    AT_MOST_ONCE = "at_most_once"
    AT_LEAST_ONCE = "at_least_once"


@dataclass(frozen=True, slots=True)
class Retry:
    """How often a failed or timed-out fire is attempted in all, and how long apart."""

    attempts: int = 1
    delay: timedelta = timedelta(seconds=10)
    backoff: Backoff = Backoff.FIXED
    max_delay: timedelta = timedelta(hours=1)
    jitter: bool = False

    def delay_after(self, failures: int) -> timedelta:
        """Return the wait after the *failures*-th failure (from 1), before any jitter."""
        if self.backoff is Backoff.FIXED:
            return min(self.delay, self.max_delay)
        longest = self.max_delay.total_seconds()
        return timedelta(seconds=min(self.delay.total_seconds() * 2.0 ** min(failures - 1, 60), longest))

    def document(self) -> dict[str, Any]:
        return {
            "attempts": self.attempts,
            "delay": seconds(self.delay),
            "backoff": self.backoff.value,
            "max_delay": seconds(self.max_delay),
            "jitter": self.jitter,
        }


@dataclass(frozen=True, slots=True)
class Overlap:
    """`limit` is how many may be live at once under `allow`; None is no limit."""

    mode: OverlapMode = OverlapMode.SKIP
    limit: int | None = None

    def document(self) -> Any:
        return self.mode.value if self.limit is None else {self.mode.value: self.limit}


@dataclass(frozen=True, slots=True)
class Policy:
    """The rules of one task; every field is resolved, nothing is inherited any more."""

    timeout: timedelta | None = None
    retry: Retry = field(default_factory=Retry)
    overlap: Overlap = field(default_factory=Overlap)
    catch_up: CatchUp = CatchUp.LATEST
    catch_up_window: timedelta = timedelta(days=1)
    expires: timedelta | None = None
    delivery: Delivery = Delivery.AT_LEAST_ONCE
    jitter: timedelta = timedelta(0)
    expect_success_within: timedelta | None = None

    def document(self) -> dict[str, Any]:
        """Return the canonical JSON: all fields, durations in seconds."""
        return {
            "timeout": optional_seconds(self.timeout),
            "retry": self.retry.document(),
            "overlap": self.overlap.document(),
            "catch_up": self.catch_up.value,
            "catch_up_window": seconds(self.catch_up_window),
            "expires": optional_seconds(self.expires),
            "delivery": self.delivery.value,
            "jitter": seconds(self.jitter),
            "expect_success_within": optional_seconds(self.expect_success_within),
        }


def policy_from_document(document: Mapping[str, Any]) -> Policy:
    """Return the policy that `Policy.document` wrote. Raises ValueError, KeyError or TypeError otherwise."""
    return Policy(
        timeout=optional_duration(document, "timeout"),
        retry=retry_from_document(document["retry"]),
        overlap=overlap_from_document(document["overlap"]),
        catch_up=CatchUp(document["catch_up"]),
        catch_up_window=timedelta(seconds=document["catch_up_window"]),
        expires=optional_duration(document, "expires"),
        delivery=Delivery(document["delivery"]),
        jitter=timedelta(seconds=document["jitter"]),
        expect_success_within=optional_duration(document, "expect_success_within"),
    )


def retry_from_document(document: Mapping[str, Any]) -> Retry:
    return Retry(
        attempts=document["attempts"],
        delay=timedelta(seconds=document["delay"]),
        backoff=Backoff(document["backoff"]),
        max_delay=timedelta(seconds=document["max_delay"]),
        jitter=document["jitter"],
    )


def overlap_from_document(document: Any) -> Overlap:
    match document:
        case {"allow": int(limit)}:
            return Overlap(OverlapMode.ALLOW, limit)
        case _:
            return Overlap(OverlapMode(document))
