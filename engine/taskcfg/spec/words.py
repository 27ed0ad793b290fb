"""A task's schedule and policies in words."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, tzinfo
from typing import assert_never

from taskcfg.spec.calendar import Calendar
from taskcfg.spec.cron_words import cron_words, joined
from taskcfg.spec.duration import duration_text
from taskcfg.spec.instants import rfc3339
from taskcfg.spec.policy import Backoff, CatchUp, Delivery, OverlapMode, Policy, Retry
from taskcfg.spec.schedule import (
    At,
    Cron,
    CronFields,
    Dst,
    Every,
    Gap,
    Part,
    Qualified,
    Repeat,
    Rule,
    Schedule,
    Union,
    parts_of,
    rule_of,
    schedule_text,
    zone_of,
)
from taskcfg.spec.times.cron_rules import cron_rule
from taskcfg.spec.times.zones import zone_named

MOST_INSTANTS = 6


def schedule_words(schedule: Schedule, zone: str) -> str:
    """Return when *schedule* fires, in words; its expression where there are none for it.

    *zone* is the task's. Raises ValueError for a zone that does not exist.
    """
    return "; and ".join(words_of_parts(schedule, zone)) or "only when it is run"


def words_of_parts(schedule: Schedule, zone: str) -> tuple[str, ...]:
    """Return the words of each schedule of a list, of the one where there is one."""
    return tuple(_part_words(part, zone) for part in parts_of(schedule))


def clock_words(schedule: Schedule, zone: str) -> tuple[str, ...]:
    """Return what *schedule* does where clocks change: one sentence for all of it, or one for each part."""
    parts = parts_of(schedule)
    said = [_clock_words(part) for part in parts]
    if len(set(said)) <= 1:
        return tuple(said[:1])
    return tuple(f"{part_text(part, zone)}: {words}" for part, words in zip(parts, said, strict=True))


def schedule_line(schedule: Schedule, zone: str) -> str:
    """Return *schedule* in a few words for a table, with the zone where it matters.

    `30 3 * * * (Europe/Berlin) until 2027-01-01`, `every 15m`, `2 schedules (UTC)`, `manual`.
    """
    if not isinstance(schedule, Union):
        parts = parts_of(schedule)
        return part_text(parts[0], zone) if parts else "manual"
    zones = sorted({own for part in schedule.parts if (own := _zone_that_matters(part, zone))})
    where = f" ({zones[0]})" if len(zones) == 1 else f" ({len(zones)} zones)" if zones else ""
    return f"{len(schedule.parts)} schedules{where}"


def part_text(part: Part, zone: str) -> str:
    """Return one schedule in a few words, with what stands beside it."""
    matters, own = _zone_that_matters(part, zone), zone_of(part, zone)
    text = schedule_text(rule_of(part)) + (f" ({matters})" if matters else "")
    if not isinstance(part, Qualified):
        return text
    if part.start is not None:
        text += f" from {_date_or_instant(part.start, own)}"
    if part.end is not None:
        text += f" until {_date_or_instant(part.end, own)}"
    if part.only_on:
        text += f" only on {joined([each.name for each in part.only_on], 'or')}"
    if part.skip_on:
        text += f" except on {joined([each.name for each in part.skip_on], 'or')}"
    return text


def _part_words(part: Part, task_zone: str) -> str:
    zone = zone_of(part, task_zone)
    words = _rule_words(rule_of(part), zone)
    if not isinstance(part, Qualified):
        return words
    if part.only_on:
        words += f", only on days of {_calendars(part.only_on)}"
    if part.skip_on:
        words += f", but not on days of {_calendars(part.skip_on)}"
    if cron_rule(part) is None and (part.only_on or part.skip_on):
        words += f" in {zone}"
    if part.start is not None:
        words += f", from {_instant(part.start, zone)} on"
    if part.end is not None:
        words += f", until before {_instant(part.end, zone)}"
    return words + _exceptions(part)


def _rule_words(rule: Rule, zone: str) -> str:
    match rule:
        case Every(interval, anchor):
            return f"every {duration_text(interval)}, counted from {rfc3339(anchor)}"
        case At(instants):
            named = [_instant(instant, zone) for instant in instants[:MOST_INSTANTS]]
            more = len(instants) - len(named)
            if more:
                return f"at {', '.join(named)} and {more} more"
            return f"{'once at' if len(instants) == 1 else 'at'} {joined(named)}"
        case Cron() | CronFields():
            read = cron_rule(rule)
            words = read and cron_words(read.times)
            return f"{words or f'cron `{schedule_text(rule)}`'}, {zone}"
        case _:
            assert_never(rule)


def _exceptions(part: Qualified) -> str:
    """Return what is said of clock changes, where it is not what is usual."""
    rule = cron_rule(part)
    if rule is None or rule.follows_real_time:
        return ""
    words = ", not made up for where clocks skip it" if part.dst.gap is Gap.SKIP else ""
    return words + (", twice where clocks show it twice" if part.dst.overlap is Repeat.BOTH else "")


def _clock_words(part: Part) -> str:
    rule = cron_rule(part)
    if rule is None:
        return "counts real time: clock changes move no fire"
    if rule.follows_real_time:
        return "follows real time: fires whenever clocks show one of its times, and not for those they skip"
    dst = part.dst if isinstance(part, Qualified) else Dst()
    skipped = {
        Gap.RUN_AFTER: "a time that clocks skip fires right after, once",
        Gap.SKIP: "a time that clocks skip does not fire",
    }[dst.gap]
    twice = {
        Repeat.FIRST: "one shown twice fires once, the first time",
        Repeat.BOTH: "one shown twice fires both times",
    }[dst.overlap]
    return f"{skipped}; {twice}"


def _zone_that_matters(part: Part, zone: str) -> str | None:
    by_clock = isinstance(rule_of(part), Cron | CronFields)
    by_days = isinstance(part, Qualified) and bool(part.skip_on or part.only_on)
    return zone_of(part, zone) if by_clock or by_days else None


def _calendars(calendars: Sequence[Calendar]) -> str:
    return joined([f"`{each.name}`" for each in calendars], "or")


def _instant(instant: datetime, zone: str) -> str:
    return instant.astimezone(zone_named(zone)).isoformat().replace("+00:00", "Z")


def _date_or_instant(instant: datetime, zone: str) -> str:
    """Return the date alone where a day begins then."""
    try:
        there: tzinfo = zone_named(zone)
    except ValueError:
        there = UTC  # a row that was changed by hand, or a zone that is gone
    local = instant.astimezone(there)
    midnight = local.replace(hour=0, minute=0, second=0, microsecond=0)
    return f"{local:%Y-%m-%d}" if local == midnight else local.isoformat().replace("+00:00", "Z")


def policy_words(policy: Policy) -> dict[str, str]:
    """Return what happens when a fire meets another, is missed, is late, fails, or runs long."""
    overlap = {
        OverlapMode.SKIP: "a fire is skipped while an earlier one is live",
        OverlapMode.ALLOW: "fires run side by side",
        OverlapMode.WAIT: "a fire waits until the earlier one has ended; while one waits, others are skipped",
        OverlapMode.REPLACE: "a fire cancels the earlier one, and goes when that has ended",
    }[policy.overlap.mode]
    if policy.overlap.limit is not None:
        overlap += f", at most {policy.overlap.limit}; what comes then is skipped"
    missed = {
        CatchUp.NONE: "a missed fire is not made up for",
        CatchUp.LATEST: "of missed fires the latest is made up for",
        CatchUp.ALL: "every missed fire is made up for",
    }[policy.catch_up]
    if policy.catch_up is not CatchUp.NONE:
        missed += f", if it is at most {duration_text(policy.catch_up_window)} old"
    lost = "it is not run again"
    if policy.delivery is Delivery.AT_LEAST_ONCE:
        lost = "it is dispatched again, at most 3 times"
    words = {
        "overlap": overlap,
        "missed": missed,
        "failure": _failure_words(policy.retry),
        "timeout": "none: it may run for ever",
        "expiry": "none: it is started however late",
        "lost worker": lost,
    }
    if policy.timeout is not None:
        words["timeout"] = f"stopped after {duration_text(policy.timeout)}, which counts as a failure"
    if policy.jitter:
        spread = duration_text(policy.jitter)
        words["jitter"] = f"a fire comes up to {spread} late: how much follows from its task and nominal time"
    if policy.expires is not None:
        words["expiry"] = f"dropped when not started within {duration_text(policy.expires)}"
    return words


def _failure_words(retry: Retry) -> str:
    if retry.attempts == 1:
        return "not tried again"
    delay = duration_text(min(retry.delay, retry.max_delay))
    times = f"tried again up to {retry.attempts - 1} times" if retry.attempts > 2 else "tried again once"
    spread = ", spread at random" if retry.jitter else ""
    if retry.backoff is Backoff.FIXED or retry.attempts == 2:
        return f"{times}, after {delay}{spread}"
    return (
        f"{times}, after {delay}, each time twice as long, at most {duration_text(retry.max_delay)}{spread}"
    )
