"""Whether a schedule that was read can fire at all, and whether it still will."""

from __future__ import annotations

from datetime import datetime, timedelta
from enum import Enum

from taskcfg.spec.schedule import At, CronFields, Part, Qualified, rule_of, zone_of
from taskcfg.spec.times.timetable import timetable
from taskcfg.spec.times.zones import zone_named

_MICROSECOND = timedelta(microseconds=1)


class Prospect(Enum):
    COMING = "it fires again"
    OVER = "it has fired for the last time"
    NEVER = "it never fires, and never did"


def prospect(part: Part, zone: str, now: datetime) -> Prospect:
    """Return what is to be expected of *part* from *now* on; *zone* is its task's."""
    if not may_end(part):
        return Prospect.COMING
    times = timetable(part, zone)
    if times.next_after(now - _MICROSECOND) is not None:
        return Prospect.COMING
    return Prospect.NEVER if times.previous_before(now) is None else Prospect.OVER


def may_end(part: Part) -> bool:
    """Say whether there may be a last fire: only then it is a question of the hour what is to be expected."""
    rule = rule_of(part)
    if isinstance(rule, At) or (isinstance(rule, CronFields) and "year" in dict(rule.fields)):
        return True
    return isinstance(part, Qualified) and bool(part.start or part.end or part.skip_on or part.only_on)


def why_never(part: Qualified, zone: str) -> tuple[str, str]:
    """Return which key of *part* keeps it from ever firing, and how that is said."""
    local = zone_named(zone_of(part, zone))
    start, end = (
        None if each is None else each.astimezone(local).isoformat() for each in (part.start, part.end)
    )
    given = [name for name, calendars in (("skip_on", part.skip_on), ("only_on", part.only_on)) if calendars]
    days = f"{' and '.join(f'`{name}`' for name in given)} leave{'' if len(given) > 1 else 's'}"
    kept = f" on the days that {days}" if given else ""
    if start and end:
        return "end", f"nothing fires between {start} and {end}{kept}"
    if end:
        return "end", f"nothing fires before {end}{kept}"
    if start:
        return "start", f"nothing fires from {start} on{kept}"
    if given:
        return given[-1], f"nothing ever fires{kept}"
    return "dst", "nothing ever fires: clocks skip the only time that it names"
