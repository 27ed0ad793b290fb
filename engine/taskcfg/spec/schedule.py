"""Schedules: the rules that give fire times, as frozen values with one canonical document each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, assert_never

from taskcfg.spec.duration import duration_text

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Cron:
    """Five fields of crontab text, read as Debian's cron reads them, in the task's zone."""

    expression: str


@dataclass(frozen=True, slots=True)
class Every:
    """Every *interval*, counted from *anchor* (UTC), never from the start of a process."""

    interval: timedelta
    anchor: datetime = EPOCH


@dataclass(frozen=True, slots=True)
class At:
    """Once at each of these instants (UTC, ascending, distinct)."""

    instants: tuple[datetime, ...]


@dataclass(frozen=True, slots=True)
class Manual:
    """Only when asked."""


Schedule = Cron | Every | At | Manual


def schedule_document(schedule: Schedule) -> Any:
    """Return the canonical JSON of *schedule*: equal schedules give equal documents."""
    match schedule:
        case Cron(expression):
            return {"cron": expression}
        case Every(interval, anchor):
            document: dict[str, Any] = {"every": seconds(interval)}
            if anchor != EPOCH:
                document["anchor"] = rfc3339(anchor)
            return document
        case At(instants):
            return {"at": [rfc3339(instant) for instant in instants]}
        case Manual():
            return "manual"
        case _:
            assert_never(schedule)


def schedule_from_document(document: Any) -> Schedule:
    """Return the schedule that `schedule_document` wrote. Raises ValueError for anything else."""
    match document:
        case "manual":
            return Manual()
        case {"cron": str(expression)}:
            return Cron(expression)
        case {"every": int() | float() as interval, **rest}:
            anchor = rest.get("anchor")
            return Every(timedelta(seconds=interval), parse_rfc3339(str(anchor)) if anchor else EPOCH)
        case {"at": [*instants]}:
            return At(tuple(parse_rfc3339(str(instant)) for instant in instants))
        case _:
            raise ValueError(f"not a schedule: {document!r}")


def schedule_text(schedule: Schedule) -> str:
    """Return the schedule in a few words for a table: `30 3 * * *`, `every 15m`, `manual`."""
    match schedule:
        case Cron(expression):
            return expression
        case Every(interval, _):
            return f"every {duration_text(interval)}"
        case At(instants):
            more = f" and {len(instants) - 1} more" if len(instants) > 1 else ""
            return f"at {rfc3339(instants[0])}{more}"
        case Manual():
            return "manual"
        case _:
            assert_never(schedule)


def rfc3339(instant: datetime) -> str:
    """Return *instant* in UTC as RFC 3339 with `Z`, with a fraction only where there is one."""
    return instant.astimezone(UTC).isoformat().replace("+00:00", "Z")


def parse_rfc3339(text: str) -> datetime:
    """Return the instant *text* names, in UTC. Raises ValueError when it has no offset."""
    instant = datetime.fromisoformat(text)
    if instant.tzinfo is None:
        raise ValueError(f"`{text}` has no offset from UTC")
    return instant.astimezone(UTC)


def seconds(duration: timedelta) -> int | float:
    """Return *duration* in seconds, whole where it is whole: the form of every stored duration."""
    value = duration.total_seconds()
    return int(value) if value == int(value) else value


def optional_seconds(duration: timedelta | None) -> int | float | None:
    return None if duration is None else seconds(duration)


def optional_duration(document: Mapping[str, Any], key: str) -> timedelta | None:
    value = document.get(key)
    return None if value is None else timedelta(seconds=value)
