"""What is likely not meant in tasks: where a schedule does not suit the rest, or the other tasks."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import datetime, timedelta

from taskcfg.spec.advice import Advice, cron_rule
from taskcfg.spec.duration import duration_text
from taskcfg.spec.policy import OverlapMode
from taskcfg.spec.schedule import parts_of
from taskcfg.spec.task import TaskSpec
from taskcfg.spec.times.shortest import shortest_interval

PILE = 5
"""So many tasks at least that start in the same minute are a pile-up, if most of all do."""

_OVERLAPPING = {
    OverlapMode.SKIP: "a fire is skipped while an earlier one runs",
    OverlapMode.ALLOW: "fires run side by side",
    OverlapMode.WAIT: "fires wait for the earlier one",
    OverlapMode.REPLACE: "a fire cancels the earlier one",
}
_SPREAD = "`H` for the minute gives each task its own; `jitter: 5m` spreads them and keeps the nominal time"


def advice_on_timeout(spec: TaskSpec, now: datetime) -> Advice | None:
    """Return what to warn of where an attempt of *spec* may take longer than it is to its next fire."""
    timeout = spec.policy.timeout
    if timeout is None or not spec.enabled:
        return None
    start = now.replace(minute=0, second=0, microsecond=0)
    interval = shortest_interval(spec.schedule, spec.timezone, start)
    if interval is None or timeout <= interval:
        return None
    return Advice(
        "timeout",
        f"{duration_text(timeout)} is longer than the {duration_text(interval)} between two fires: "
        f"{_OVERLAPPING[spec.policy.overlap.mode]}",
        f"a timeout of at most {duration_text(interval)}, or fires that are farther apart",
    )


def advice_on_pile_up(specs: Sequence[TaskSpec]) -> tuple[TaskSpec, Advice] | None:
    """Return what to warn of where most cron tasks of *specs* start at minute 0 of the same hour.

    With it comes the first of those tasks, by name.
    """
    minute_0: Counter[int] = Counter()
    first: dict[int, TaskSpec] = {}
    number = 0
    for spec in sorted(specs, key=lambda spec: spec.name):
        hours = _hours_at_minute_0(spec)
        if hours is None:
            continue
        number += 1
        for hour in hours:
            minute_0[hour] += 1
            first.setdefault(hour, spec)
    if not minute_0:
        return None
    # The earliest of the busiest hours.
    hour, most = max(sorted(minute_0.items()), key=lambda item: item[1])
    if most < PILE or most * 2 <= number:
        return None
    message = f"{most} of {number} cron tasks start at minute 0 of the same hour, {hour:02}:00"
    return first[hour], Advice("schedule", message, _SPREAD)


def _hours_at_minute_0(spec: TaskSpec) -> list[int] | None:
    """Return the hours at whose minute 0 *spec* starts and at no other minute; None if it has no cron."""
    rules = [rule for part in parts_of(spec.schedule) if (rule := cron_rule(part)) is not None]
    if not rules or not spec.enabled:
        return None
    if spec.policy.jitter > timedelta(0) or any(rule.times.minutes != 1 for rule in rules):
        return []
    return [hour for hour in range(24) if any(rule.times.hours >> hour & 1 for rule in rules)]
