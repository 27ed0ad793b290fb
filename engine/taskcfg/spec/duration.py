"""Durations as people write them, and as they are stored: a number of seconds."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import timedelta
from functools import lru_cache
from typing import Any

_UNITS = {"w": 604_800, "d": 86_400, "h": 3_600, "m": 60, "s": 1}
_AMOUNTS = {unit: rf"(?:([0-9]+(?:\.[0-9]+)?){unit})?" for unit in "wdhmsWDHMS"}
_WORDS = re.compile("".join(_AMOUNTS[unit] for unit in "wdhms"))
_ISO = re.compile("P{W}{D}(?:T(?=[0-9]){H}{M}{S})?".format_map(_AMOUNTS))
_NUMBER = re.compile(r"[0-9]+(?:\.[0-9]+)?")
SKETCH = r"^\s*(([0-9.]+[wdhms])+|[0-9.]+|P[0-9.WDTHMS]+)\s*$"
"""What the text of every duration matches, short enough to be read; wider than `parse_duration`."""

LONGEST = timedelta(days=36_500)
EXPECTED = "a duration such as `90s`, `15m`, `6h`, `30d`, `1h30m`, `PT15M` or a number of seconds"


def parse_duration(value: object) -> timedelta:
    """Return the duration that *value* writes.

    Accepts `90s`, `15m`, `6h`, `30d`, `2w`, `1h30m` (largest unit first), ISO 8601 (`PT15M`,
    `P1DT2H`; no years or months, whose length varies) and a number, or its text, in seconds.
    Raises ValueError, with what was expected, for anything else, below zero, or above 100 years.
    """
    if isinstance(value, timedelta):
        seconds = value.total_seconds()
    elif isinstance(value, bool) or not isinstance(value, int | float | str):
        raise ValueError(f"expected {EXPECTED}")
    elif isinstance(value, str):
        seconds = _seconds_of(value.strip())
    else:
        seconds = float(max(-1.0, min(value, 1e12)))
    if not 0 <= seconds <= LONGEST.total_seconds():
        raise ValueError("a duration lies between 0 and 100 years")
    return timedelta(seconds=seconds)


@lru_cache(maxsize=1024)
def _seconds_of(text: str) -> float:
    if _NUMBER.fullmatch(text):
        return float(text)
    match = _WORDS.fullmatch(text) or _ISO.fullmatch(text)
    if match is None or not any(match.groups()):
        shown = text if len(text) <= 60 else f"{text[:57]}..."
        raise ValueError(f"`{shown}` is not {EXPECTED}")
    return sum(float(part) * unit for part, unit in zip(match.groups(), _UNITS.values(), strict=True) if part)


def duration_text(duration: timedelta) -> str:
    """Return the shortest exact spelling, largest unit first: `1h30m`, `0s`, `1.5s`."""
    rest, microseconds = divmod(duration // timedelta(microseconds=1), 1_000_000)
    parts = []
    for unit in "dhm":
        amount, rest = divmod(rest, _UNITS[unit])
        if amount:
            parts.append(f"{amount}{unit}")
    if microseconds:
        parts.append(f"{rest}.{microseconds:06}".rstrip("0") + "s")
    elif rest or not parts:
        parts.append(f"{rest}s")
    return "".join(parts)


def seconds(duration: timedelta) -> int | float:
    """Return *duration* in seconds, whole where it is whole: the form of every stored duration."""
    value = duration.total_seconds()
    return int(value) if value == int(value) else value


def optional_seconds(duration: timedelta | None) -> int | float | None:
    return None if duration is None else seconds(duration)


def optional_duration(document: Mapping[str, Any], key: str) -> timedelta | None:
    value = document.get(key)
    return None if value is None else timedelta(seconds=value)
