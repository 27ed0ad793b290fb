"""What is likely not meant in tasks: where a schedule does not suit the rest, or the other tasks."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from taskcfg.problems import Position
from taskcfg.spec.advice import Advice
from taskcfg.spec.duration import duration_text
from taskcfg.spec.policy import OverlapMode
from taskcfg.spec.schedule import parts_of, zone_of
from taskcfg.spec.task import TaskSpec
from taskcfg.spec.times.closeness import no_closer_than
from taskcfg.spec.times.cron_rules import cron_rule
from taskcfg.spec.times.shortest import shortest_interval

FEWEST = 10
"""So many tasks at least that start at minute 0 are a pile-up, if they are most of those with one minute."""

TOGETHER = 5
"""So many of them at least must start in the same hour."""

_SPREAD_ENOUGH = timedelta(minutes=1)
_SPREAD = "`H` for the minute gives each task its own; `jitter: 5m` spreads them and keeps the nominal time"


@dataclass(frozen=True, slots=True)
class PileUp:
    """What to warn of where many tasks start at minute 0, and the first of them."""

    first: TaskSpec
    advice: Advice


def advice_on_timeout(spec: TaskSpec, now: datetime) -> Advice | None:
    """Return what to warn of where an attempt of *spec* may take longer than it is to its next fire.

    Silent for another `overlap` than `skip`: who writes one means attempts to overlap.
    """
    timeout = spec.policy.timeout
    if timeout is None or not spec.enabled or spec.policy.overlap.mode is not OverlapMode.SKIP:
        return None
    if timeout <= no_closer_than(spec.schedule, spec.timezone, now):
        return None
    start = now.replace(minute=0, second=0, microsecond=0)
    interval = shortest_interval(spec.schedule, spec.timezone, start)
    if interval is None or timeout <= interval:
        return None
    return Advice(
        "timeout",
        f"{duration_text(timeout)} is longer than the {duration_text(interval)} between two fires: "
        "a fire is skipped while an earlier one runs",
        f"a timeout of at most {duration_text(interval)}, fires that are farther apart, or another `overlap`",
    )


def advice_on_pile_up(specs: Iterable[TaskSpec]) -> PileUp | None:
    """Return what to warn of where most of the tasks with a fixed minute start at minute 0.

    Silent where they are few, or each of them has an hour of its own.
    """
    one_minute, piled = 0, []
    hours: Counter[tuple[str, int]] = Counter()
    for spec in specs:
        starts = _starts(spec)
        one_minute += bool(starts)
        if starts and all(minute == 0 for _, minute, _ in starts):
            piled.append(spec)
            hours.update({(zone, hour) for zone, _, mask in starts for hour in range(24) if mask >> hour & 1})
    if len(piled) < FEWEST or len(piled) * 2 <= one_minute:
        return None
    (zone, hour), most = min(hours.items(), key=lambda item: (-item[1], item[0]))
    if most < TOGETHER:
        return None
    message = (
        f"{len(piled)} of {one_minute} tasks with one minute of the hour start at minute 0, "
        f"{most} of them at {hour:02}:00 {zone}"
    )
    first = min(piled, key=lambda spec: (spec.position or Position(""), spec.name))
    return PileUp(first, Advice("schedule", message, _SPREAD))


def _starts(spec: TaskSpec) -> list[tuple[str, int, int]]:
    """Return zone, minute and hours (as bits) of each cron rule of *spec*, if all have one minute.

    Nothing for a task that is off, or spread by jitter.
    """
    if not spec.enabled or spec.policy.jitter >= _SPREAD_ENOUGH:
        return []
    found = []
    for part in parts_of(spec.schedule):
        rule = cron_rule(part)
        if rule is None or rule.times.minutes.bit_count() != 1:
            return []
        zone = zone_of(part, spec.timezone)
        found.append((zone, rule.times.minutes.bit_length() - 1, rule.times.hours))
    return found
