"""Documents of schedules, as they are stored, to schedules."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any

from taskcfg.spec.calendar import Calendar
from taskcfg.spec.instants import parse_rfc3339
from taskcfg.spec.schedule import (
    CRON_FIELDS,
    EPOCH,
    At,
    Cron,
    CronFields,
    Dst,
    Every,
    Gap,
    Manual,
    Part,
    Repeat,
    Rule,
    Schedule,
    qualified,
    union,
)


def schedule_from_document(document: Any, calendar: Callable[[str, str], Calendar] | None = None) -> Schedule:
    """Return the schedule that `schedule_document` wrote; *calendar* finds one by name and digest.

    Raises ValueError, KeyError or TypeError for anything else, and what *calendar* raises for one
    that is not there.
    """
    if document == "manual":
        return Manual()
    if isinstance(document, list):
        return union(_part_from(each, calendar) for each in document)
    return _part_from(document, calendar)


def _part_from(document: Any, calendar: Callable[[str, str], Calendar] | None) -> Part:
    rule = _rule_from(document)

    def named(key: str) -> list[Calendar]:
        found = document.get(key, ())
        if found and calendar is None:
            raise ValueError("calendars cannot be looked up here")
        return [calendar(each["calendar"], each["digest"]) for each in found] if calendar else []

    return qualified(
        rule,
        start=_optional_instant(document, "start"),
        end=_optional_instant(document, "end"),
        timezone=document.get("timezone"),
        dst=_dst_from(document["dst"]) if "dst" in document else Dst(),
        skip_on=named("skip_on"),
        only_on=named("only_on"),
    )


def _dst_from(document: Mapping[str, Any]) -> Dst:
    return Dst(Gap(document["gap"]), Repeat(document["overlap"]))


def _rule_from(document: Any) -> Rule:
    match document:
        case {"cron": str(expression)}:
            return Cron(expression)
        case {"cron": {**fields}}:
            return CronFields(tuple((name, str(fields[name])) for name in CRON_FIELDS if name in fields))
        case {"every": int() | float() as interval}:
            return Every(timedelta(seconds=interval), _optional_instant(document, "anchor") or EPOCH)
        case {"at": [*instants]}:
            return At(tuple(parse_rfc3339(str(instant)) for instant in instants))
        case _:
            raise ValueError(f"not a schedule: {document!r}")


def _optional_instant(document: Mapping[str, Any], key: str) -> datetime | None:
    value = document.get(key)
    return None if value is None else parse_rfc3339(str(value))
