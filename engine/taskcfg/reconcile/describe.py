"""A plan as the lines people read."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from functools import cache
from typing import Any, assert_never

from taskcfg.errors import count
from taskcfg.problems import Position
from taskcfg.reconcile.calendar_changes import calendar_changes
from taskcfg.reconcile.fire_lines import fire_lines
from taskcfg.reconcile.outlook import NO_FIRES, FiresChange
from taskcfg.reconcile.plan import (
    Change,
    ChangeKey,
    Create,
    Delete,
    FieldChange,
    Plan,
    Rename,
    Update,
    by_name,
    flattened,
    key_of,
)
from taskcfg.reconcile.schedule_values import calendar_names, says_the_same, schedule_written, wants_zone
from taskcfg.reconcile.state import LiveTask
from taskcfg.spec.duration import duration_text
from taskcfg.spec.pause import Pause
from taskcfg.spec.schedule import Qualified
from taskcfg.spec.task import TaskSpec
from taskcfg.spec.times.zones import zone_named

FILE_COLUMN = 58
LEGEND = {"+": "create", "~": "update", ">": "rename", "-": "delete"}
DURATIONS = frozenset(
    (
        "schedule.every",
        "timeout",
        "retry.delay",
        "retry.max_delay",
        "catch_up_window",
        "expires",
        "jitter",
        "expect_success_within",
    )
)

_CALENDARS = ("schedule.skip_on", "schedule.only_on")


def plan_lines(
    plan: Plan, now: datetime | None = None, fires: Mapping[ChangeKey, FiresChange] = NO_FIRES
) -> list[str]:
    """Return the plan as lines without its last one: legend, then each change by name.

    A day within a week of *now* is named by its weekday alone. *fires* says what becomes of each task's.
    """
    if not plan.has_changes:
        return []
    used = {symbol(change) for change in plan.changes}
    legend = ", ".join(f"{sign} {word}" for sign, word in LEGEND.items() if sign in used)
    lines = [f"Symbols: {legend}", ""]
    for change in by_name(plan):
        lines += all_lines(change, plan, now, fires)
    return [*lines, ""]


def all_lines(
    change: Change, plan: Plan, now: datetime | None = None, fires: Mapping[ChangeKey, FiresChange] = NO_FIRES
) -> list[str]:
    """Return one change of *plan* as lines, with what becomes of the task's fires and its pause."""
    lines = change_lines(change, plan.source, now)
    if key_of(change) in fires and now is not None:
        found = fire_lines(fires[key_of(change)], _zone_shown(change), now)
        lines += [f"      {line}" for line in found]
    if change.name in plan.paused and not isinstance(change, Delete):
        lines.append(_pause_line(plan.paused[change.name], change.spec.timezone, now))
    return lines


def plan_total(plan: Plan) -> str:
    """Return the last line of a plan."""
    total = plan.summary
    if not plan.has_changes:
        verb = "matches" if total.unchanged == 1 else "match"
        return f"No changes. {count(total.unchanged, 'task')} {verb} the configuration."
    return (
        f"Plan: {total.add} to add, {total.change} to change, {total.delete} to delete, "
        f"{total.rename} to rename. {total.unchanged} unchanged."
    )


def applied_total(plan: Plan) -> str:
    """Return the last line of an apply that carried out *plan*."""
    total = plan.summary
    return (
        f"Apply complete! Tasks: {total.add} added, {total.change} changed, "
        f"{total.delete} deleted, {total.rename} renamed."
    )


def symbol(change: Change) -> str:
    match change:
        case Create():
            return "+"
        case Update():
            return "~"
        case Rename():
            return ">"
        case Delete():
            return "-"
        case _:
            assert_never(change)


def change_lines(change: Change, source: str, now: datetime | None = None) -> list[str]:
    """Return one change as lines: what happens to the task and where it stands, then the details."""
    match change:
        case Create(spec, restores):
            lines = [_title("+", f"{spec.name} will be created", spec.position)]
            if restores is not None:
                lines.append("      restored: the retired task's history goes on; fires only from now")
            return lines + _field_lines(_declared(spec), spec, _created_line)
        case Update():
            return _update_lines(change, source, now)
        case Rename(live, spec):
            return [
                f"  > {spec.name} will be renamed (was {live.name}); history and pauses kept",
                *_adoption(live, source),
                *_edit_lines(change, now),
            ]
        case Delete(live, refused_name):
            lines = [
                f"  - {live.name} will be deleted (not in source `{source}`)",
                "      retired: stops firing, history kept",
            ]
            if refused_name is not None:
                lines.append(f"      ! not renamed to {refused_name}: a live task has that name already")
            return lines
        case _:
            assert_never(change)


def _update_lines(change: Update, source: str, now: datetime | None) -> list[str]:
    live, spec = change.live, change.spec
    lines = [_title("~", f"{spec.name} will be updated", spec.position)]
    lines += _adoption(live, source)
    if live.source is None and not change.fields:
        lines.append("      its row cannot be read and is written anew")
    lines += _edit_lines(change, now)
    if live.changed_by_hand:
        lines.append("      ! changed by hand in the database since it was last applied")
    return lines


def _adoption(live: LiveTask, source: str) -> list[str]:
    if live.source is None:
        return []
    return [f"      adopted: it belongs to source `{live.source}`, and will to `{source}`"]


def _edit_lines(change: Update | Rename, now: datetime | None) -> list[str]:
    shown = [field for field in change.fields if not says_the_same(field.before, field.after)]
    return [
        *_field_lines(shown, change.spec, _updated_line),
        *_calendar_lines(change.live.spec, change.spec, now),
    ]


def _calendar_lines(before: TaskSpec | None, after: TaskSpec, now: datetime | None) -> list[str]:
    """Return a line for each calendar whose days are others than they were."""
    if before is None:
        return []
    today = None if now is None else now.date()
    changes = calendar_changes(before.schedule, after.schedule, today)
    return [f"      {path}  {text}" for path, text in changes]


def _zone_shown(change: Change) -> str:
    """Return the zone to show a change's times in: that of the spec which is to be, or was."""
    spec = change.live.spec if isinstance(change, Delete) else change.spec
    return "UTC" if spec is None else _zone_of(spec)


def _title(sign: str, text: str, position: Position | None) -> str:
    line = f"  {sign} {text}"
    if position is None:
        return line
    return f"{line.ljust(FILE_COLUMN - 2)}  {position.file}:{position.line}"


def _pause_line(pause: Pause, zone: str, now: datetime | None) -> str:
    until = ""
    if pause.until is not None:
        local = pause.until.astimezone(zone_named(zone))
        soon = now is not None and pause.until - now < timedelta(days=6)
        until = f" until {local:%a %H:%M}" if soon else f" until {local:%a} {local.day} {local:%b %Y %H:%M}"
    return f"      paused by {pause.by}{until}, {json.dumps(pause.reason, ensure_ascii=False)}: stays paused"


def _declared(spec: TaskSpec) -> Iterator[FieldChange]:
    """Yield what a new task says of itself: its type, its schedule, and all that is not the default."""
    usual = _defaults()
    for path, value in flattened(spec.document()).items():
        if path == "type" or path.partition(".")[0] == "schedule" or value != usual.get(path):
            yield FieldChange(path, None, value)


@cache
def _defaults() -> dict[str, Any]:
    return flattened(TaskSpec("", "").document())


def _field_lines(
    fields: Iterator[FieldChange] | Sequence[FieldChange], spec: TaskSpec, line: Callable[[FieldChange], str]
) -> list[str]:
    fields = list(fields)
    width = max((len(field.path) for field in fields), default=0)
    timed = next((field for field in fields if _is_timed(field)), None)
    zone = f"   ({_zone_of(spec)})"
    return [
        f"      {field.path.ljust(width)}  {line(field)}{zone if field is timed else ''}" for field in fields
    ]


def _is_timed(field: FieldChange) -> bool:
    """Whether the field says at which time of the day the task fires, and not in which zone."""
    if field.path == "schedule":
        return wants_zone(field.after)
    return field.after is not None and f"{field.path}.".startswith("schedule.cron.")


def _zone_of(spec: TaskSpec) -> str:
    own = spec.schedule.timezone if isinstance(spec.schedule, Qualified) else None
    return own or spec.timezone


def _created_line(field: FieldChange) -> str:
    return value_text(field.path, field.after)


def _updated_line(field: FieldChange) -> str:
    return f"{value_text(field.path, field.before)} -> {value_text(field.path, field.after)}"


def value_text(path: str, value: Any) -> str:
    """Return a field's value as JSON; a duration and a schedule as people write them."""
    if path in DURATIONS and isinstance(value, int | float):
        return duration_text(timedelta(seconds=value))
    if path == "schedule":
        return schedule_written(value)
    if path in _CALENDARS and value is not None:
        value = calendar_names(value)
    return json.dumps(value, ensure_ascii=False, sort_keys=True)
