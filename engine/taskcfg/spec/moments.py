"""Instants and lengths of time in the few words people read."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

_UNITS = (("d", 86_400), ("h", 3_600), ("m", 60), ("s", 1))


def local_words(instant: datetime, zone: str, now: datetime) -> str:
    """Return `Fri 23 Oct 01:30 BST`, with the year only where it is not this one."""
    try:
        there = ZoneInfo(zone)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        there = ZoneInfo("UTC")  # a row changed by hand; `show` says what is wrong with it
    local = instant.astimezone(there)
    clock = f"{local:%H:%M:%S}" if local.second else f"{local:%H:%M}"
    year = "" if local.year == now.astimezone(there).year else f" {local.year}"
    return f"{local:%a} {local.day} {local:%b}{year} {clock} {local:%Z}"


def relative(instant: datetime, now: datetime) -> str:
    """Return `in 7h` or `5m ago`; `now` within a second."""
    apart = (instant - now).total_seconds()
    if abs(apart) < 1:
        return "now"
    return f"in {span(apart)}" if apart > 0 else f"{span(-apart)} ago"


def span(seconds: float) -> str:
    """Return a length of time in at most its two largest units: `3d4h`, `1h30m`, `45s`, `0.25s`."""
    if seconds < 10:
        return f"{seconds:.3g}s"
    rest = int(seconds)
    parts: list[str] = []
    for unit, size in _UNITS:
        amount, rest = divmod(rest, size)
        if amount or parts:
            parts.append(f"{amount}{unit}" if amount else "")
        if len(parts) == 2:
            break
    return "".join(parts)
