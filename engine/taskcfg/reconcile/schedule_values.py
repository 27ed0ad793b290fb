"""Documents of schedules as plans show them: as people write them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from taskcfg.spec.duration import duration_text

_CALENDARS = ("skip_on", "only_on")


def schedule_written(document: Any) -> str:
    """Return a whole schedule on one line: `[{cron: "0 2 * * *", skip_on: [holidays]}, {every: 15m}]`."""
    if isinstance(document, list):
        return f"[{', '.join(schedule_written(part) for part in document)}]"
    if not isinstance(document, Mapping):
        return json.dumps(document, ensure_ascii=False)
    return "{" + ", ".join(f"{key}: {_value(key, value)}" for key, value in document.items()) + "}"


def calendar_names(references: Any) -> list[Any]:
    """Return the names of the calendars that a stored `skip_on` or `only_on` refers to."""
    return [each["calendar"] if isinstance(each, Mapping) else each for each in references]


def says_the_same(before: Any, after: Any) -> bool:
    """Whether two values of a schedule differ in nothing but the days of the calendars they name."""
    return bool(before != after) and bool(_without_digests(before) == _without_digests(after))


def _without_digests(value: Any) -> Any:
    if isinstance(value, Mapping):
        kept = {key: _without_digests(item) for key, item in value.items()}
        return kept["calendar"] if kept.keys() == {"calendar", "digest"} else kept
    return [_without_digests(item) for item in value] if isinstance(value, list) else value


def wants_zone(document: Any) -> bool:
    """Whether a part of the schedule is in its task's zone, and names none of its own."""
    parts = document if isinstance(document, list) else [document]
    return any(isinstance(part, Mapping) and "cron" in part and "timezone" not in part for part in parts)


def _value(key: str, value: Any) -> str:
    if key == "every" and isinstance(value, int | float):
        return duration_text(timedelta(seconds=value))
    if key in _CALENDARS:
        return f"[{', '.join(map(str, calendar_names(value)))}]"
    if key == "cron" and isinstance(value, Mapping):
        return "{" + ", ".join(f"{name}: {json.dumps(text)}" for name, text in value.items()) + "}"
    if key == "dst" and isinstance(value, Mapping):
        return "{" + ", ".join(f"{name}: {word}" for name, word in value.items()) + "}"
    if key == "at" and isinstance(value, list):
        return str(value[0]) if len(value) == 1 else f"[{', '.join(map(str, value))}]"
    return json.dumps(value, ensure_ascii=False) if key == "cron" else str(value)
