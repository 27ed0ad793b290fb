"""Schedules: the rules that give fire times, as frozen values with one canonical document each."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any, assert_never

from taskcfg.spec.calendar import Calendar
from taskcfg.spec.duration import duration_text, seconds
from taskcfg.spec.instants import rfc3339

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

CRON_FIELDS = ("second", "minute", "hour", "day", "month", "day_of_week", "year")


@dataclass(frozen=True, slots=True)
class Cron:
    """Five fields of crontab text, six with seconds first, or a nickname such as `@daily`.

    `H` is resolved before: the text names plain times.
    """

    expression: str


@dataclass(frozen=True, slots=True)
class CronFields:
    """Named fields, all of which must hold: those that were given, from `second` to `year`, as text."""

    fields: tuple[tuple[str, str], ...]


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


class Gap(StrEnum):
    """What becomes of a fixed wall time that clocks skip."""

    RUN_AFTER = "run_after"
    SKIP = "skip"


class Repeat(StrEnum):
    """Which of the two instants count at which clocks show a fixed wall time twice."""

    FIRST = "first"
    BOTH = "both"


@dataclass(frozen=True, slots=True)
class Dst:
    """What a schedule of fixed times does where clocks change. The default is Debian's cron's.

    One with `*` as minute or hour follows real time, and is not concerned.
    """

    gap: Gap = Gap.RUN_AFTER
    overlap: Repeat = Repeat.FIRST


Rule = Cron | CronFields | Every | At


@dataclass(frozen=True, slots=True)
class Qualified:
    """A rule and what stands beside it. Made by `qualified`, so that equal schedules are equal values.

    It counts from `start` (inclusive) until `end` (exclusive), both UTC; on the days that no calendar
    of `skip_on` has and, where there are `only_on`, that one of them has; a day is that of the
    nominal wall time. `timezone` (IANA) takes the place of the task's.
    """

    rule: Rule
    start: datetime | None = None
    end: datetime | None = None
    timezone: str | None = None
    dst: Dst = Dst()
    skip_on: tuple[Calendar, ...] = ()
    only_on: tuple[Calendar, ...] = ()


Part = Rule | Qualified


@dataclass(frozen=True, slots=True)
class Union:
    """Whenever one of `parts` fires; an instant that several give counts once. Made by `union`."""

    parts: tuple[Part, ...]


Schedule = Part | Union | Manual


def qualified(
    rule: Rule,
    *,
    start: datetime | None = None,
    end: datetime | None = None,
    timezone: str | None = None,
    dst: Dst = Dst(),
    skip_on: Iterable[Calendar] = (),
    only_on: Iterable[Calendar] = (),
) -> Part:
    """Return *rule* with what stands beside it; *rule* itself where nothing does."""
    found = Qualified(rule, start, end, timezone, dst, _in_order(skip_on), _in_order(only_on))
    return rule if found == Qualified(rule) else found


def union(parts: Iterable[Part]) -> Schedule:
    """Return the schedule that fires whenever one of *parts* does; the order they come in is no matter.

    Raises ValueError when there is none.
    """
    found = {canonical_part(part): part for part in parts}
    if not found:
        raise ValueError("a list of schedules needs at least one")
    if len(found) == 1:
        return next(iter(found.values()))
    return Union(tuple(found[key] for key in sorted(found)))


def parts_of(schedule: Schedule) -> tuple[Part, ...]:
    """Return what *schedule* consists of: itself if it is no list, nothing if it is `manual`."""
    match schedule:
        case Union(parts):
            return parts
        case Manual():
            return ()
        case _:
            return (schedule,)


def rule_of(part: Part) -> Rule:
    return part.rule if isinstance(part, Qualified) else part


def zone_of(part: Part, zone: str) -> str:
    """Return the zone whose clock *part* reads; *zone* is the task's."""
    return (part.timezone if isinstance(part, Qualified) else None) or zone


def calendars_of(schedule: Schedule) -> tuple[Calendar, ...]:
    """Return the calendars that *schedule* names, each once."""
    qualifieds = [part for part in parts_of(schedule) if isinstance(part, Qualified)]
    return tuple(dict.fromkeys(each for part in qualifieds for each in (*part.skip_on, *part.only_on)))


def canonical_part(part: Part) -> str:
    """Return the text by which the parts of a union are put in order and compared."""
    return json.dumps(_part_document(part), sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def schedule_document(schedule: Schedule) -> Any:
    """Return the canonical JSON of *schedule*: equal schedules give equal documents.

    A calendar is named, and stood for by its digest; its days are kept elsewhere.
    """
    match schedule:
        case Manual():
            return "manual"
        case Union(parts):
            return [_part_document(part) for part in parts]
        case _:
            return _part_document(schedule)


def _part_document(part: Part) -> dict[str, Any]:
    match part:
        case Cron(expression):
            return {"cron": expression}
        case CronFields(fields):
            return {"cron": dict(fields)}
        case Every(interval, anchor):
            document: dict[str, Any] = {"every": seconds(interval)}
            if anchor != EPOCH:
                document["anchor"] = rfc3339(anchor)
            return document
        case At(instants):
            return {"at": [rfc3339(instant) for instant in instants]}
        case Qualified():
            return {**_part_document(part.rule), **_beside(part)}
        case _:
            assert_never(part)


def _beside(part: Qualified) -> dict[str, Any]:
    dst = {"gap": part.dst.gap.value, "overlap": part.dst.overlap.value} if part.dst != Dst() else None
    beside = {
        "start": rfc3339(part.start) if part.start else None,
        "end": rfc3339(part.end) if part.end else None,
        "timezone": part.timezone,
        "dst": dst,
        "skip_on": [{"calendar": each.name, "digest": each.digest} for each in part.skip_on],
        "only_on": [{"calendar": each.name, "digest": each.digest} for each in part.only_on],
    }
    return {key: value for key, value in beside.items() if value}


def schedule_text(schedule: Schedule) -> str:
    """Return the schedule in a few words for a table: `30 3 * * *`, `every 15m`, `manual`."""
    match schedule:
        case Cron(expression):
            return expression
        case CronFields(fields):
            return " ".join(f"{name}={value}" for name, value in fields)
        case Every(interval, _):
            return f"every {duration_text(interval)}"
        case At(instants):
            more = f" and {len(instants) - 1} more" if len(instants) > 1 else ""
            return f"at {rfc3339(instants[0])}{more}"
        case Manual():
            return "manual"
        case Qualified():
            return schedule_text(schedule.rule)
        case Union(parts):
            return f"{schedule_text(parts[0])} and {len(parts) - 1} more"
        case _:
            assert_never(schedule)


def _in_order(calendars: Iterable[Calendar]) -> tuple[Calendar, ...]:
    return tuple(sorted(set(calendars), key=lambda each: (each.name, each.digest)))
