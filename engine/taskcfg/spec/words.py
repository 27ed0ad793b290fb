"""A task's schedule and policies in words."""

from __future__ import annotations

import re
from typing import assert_never

from taskcfg.spec.duration import duration_text
from taskcfg.spec.instants import rfc3339
from taskcfg.spec.policy import Backoff, CatchUp, Delivery, OverlapMode, Policy, Retry
from taskcfg.spec.schedule import (
    EPOCH,
    At,
    Cron,
    CronFields,
    Every,
    Manual,
    Qualified,
    Schedule,
    Union,
    schedule_text,
)

_DAYS = ("Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_SHORT = {day[:3].upper(): number for number, day in enumerate(_DAYS[:7])}
_NUMBER = re.compile(r"[0-9]{1,2}", re.ASCII)
_STEP = re.compile(r"\*/([0-9]{1,2})", re.ASCII)


def schedule_words(schedule: Schedule, zone: str) -> str:
    """Return when *schedule* fires, in words; its expression where there are none for it."""
    match schedule:
        case Manual():
            return "only when it is run"
        case Every(interval, anchor):
            start = "1970-01-01T00:00:00Z" if anchor == EPOCH else rfc3339(anchor)
            return f"every {duration_text(interval)}, counted from {start}"
        case At(instants):
            later = f" and {len(instants) - 1} more" if len(instants) > 1 else ""
            return f"{'' if later else 'once '}at {rfc3339(instants[0])}{later}"
        case Cron(expression):
            words = _cron_words(expression)
            return f"{words}, {zone}" if words else f"cron `{expression}`, {zone}"
        case CronFields() | Qualified() | Union():
            return schedule_text(schedule)
        case _:
            assert_never(schedule)


def _cron_words(expression: str) -> str | None:
    minute, hour, day, month, weekday = expression.upper().split()
    times, days = _times(minute, hour), _days(day, month, weekday)
    if times is None or days is None:
        return None
    if not days:
        return f"{times} every day" if times.startswith("at") and hour != "*" else times
    return f"{times} {days}"


def _times(minute: str, hour: str) -> str | None:
    step = _STEP.fullmatch(minute)
    if hour == "*":
        if minute == "*":
            return "every minute"
        if step and 60 % int(step[1] or 0) == 0:
            return f"every {int(step[1])} minutes of the hour"
        return f"at minute {int(minute)} of every hour" if _NUMBER.fullmatch(minute) else None
    hours = hour.split(",")
    if not _NUMBER.fullmatch(minute) or not all(_NUMBER.fullmatch(each) for each in hours):
        return None
    return "at " + _joined([f"{int(each):02}:{int(minute):02}" for each in hours])


def _days(day: str, month: str, weekday: str) -> str | None:
    """Return which days, empty for every one, None where there are no words for it."""
    if month != "*":
        return None
    if day == "*" and weekday == "*":
        return ""
    if weekday == "*":
        if day == "L":
            return "on the last day of the month"
        return f"on day {int(day)} of the month" if _NUMBER.fullmatch(day) else None
    return _weekdays(weekday) if day == "*" else None


def _weekdays(text: str) -> str | None:
    ends = [_day(each) for each in text.split("-")]
    if len(ends) == 2 and None not in ends:
        return f"on {ends[0]} to {ends[1]}"
    named = [_day(each) for each in text.split(",")]
    days = [each for each in named if each is not None]
    return f"on {_joined(days)}" if len(days) == len(named) else None


def _day(text: str) -> str | None:
    if text in _SHORT:
        return _DAYS[_SHORT[text]]
    return _DAYS[int(text)] if text in tuple("01234567") else None


def _joined(words: list[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"


def policy_words(policy: Policy) -> dict[str, str]:
    """Return what happens when a fire meets another, is missed, is late, fails, or runs long."""
    overlap = {
        OverlapMode.SKIP: "a fire is skipped while an earlier one is live",
        OverlapMode.ALLOW: "fires run side by side",
        OverlapMode.WAIT: "a fire waits for the earlier one, one at most",
        OverlapMode.REPLACE: "a fire cancels the earlier one",
    }[policy.overlap.mode]
    missed = {
        CatchUp.NONE: "a missed fire is not made up for",
        CatchUp.LATEST: "of missed fires the latest is made up for",
        CatchUp.ALL: "every missed fire is made up for",
    }[policy.catch_up]
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
