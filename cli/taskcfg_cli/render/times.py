"""Instants and spans of time in the words people use, and back."""

from __future__ import annotations

from datetime import UTC, datetime

from taskcfg.spec.duration import parse_duration
from taskcfg.spec.moments import local_words, relative, span

__all__ = ["local_words", "parse_instant", "relative", "span", "stamp"]


def parse_instant(text: str, *, sign: int) -> datetime:
    """Return the instant that *text* names, in UTC.

    ISO 8601, in this machine's zone where it has no offset; `now`; or a duration such as `2h`,
    counted from now: backwards where *sign* is -1. Raises ValueError or OverflowError.
    """
    from taskcfg.clock import SystemClock

    if text == "now":
        return SystemClock().now()
    try:
        duration = parse_duration(text)
    except ValueError:
        return datetime.fromisoformat(text).astimezone(UTC)
    if text.strip().isdigit():
        raise ValueError("a bare number could be seconds or a year")
    return SystemClock().now() + sign * duration


def stamp(instant: datetime) -> str:
    """Return `2026-10-23 01:30:05 BST`, in this machine's zone."""
    return f"{instant.astimezone():%Y-%m-%d %H:%M:%S %Z}"
