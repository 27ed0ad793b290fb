"""Instants as they are stored and told: RFC 3339 in UTC."""

from __future__ import annotations

from datetime import UTC, datetime


def rfc3339(instant: datetime) -> str:
    """Return *instant* in UTC as RFC 3339 with `Z`, with a fraction only where there is one."""
    return instant.astimezone(UTC).isoformat().replace("+00:00", "Z")


def parse_rfc3339(text: str) -> datetime:
    """Return the instant *text* names, in UTC. Raises ValueError when it has no offset."""
    instant = datetime.fromisoformat(text)
    if instant.tzinfo is None:
        raise ValueError(f"`{text}` has no offset from UTC")
    return instant.astimezone(UTC)
