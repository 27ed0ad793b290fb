"""A plan as the lines people read and as the JSON document programs read."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from functools import cache
from typing import Any, assert_never

from taskcfg.errors import count
from taskcfg.problems import Position
from taskcfg.reconcile.calendar_changes import calendar_changes
from taskcfg.reconcile.plan import Change, Create, Delete, FieldChange, Plan, Update, flattened
from taskcfg.reconcile.schedule_values import calendar_names, says_the_same, schedule_written, wants_zone
from taskcfg.spec.duration import duration_text
from taskcfg.spec.instants import rfc3339
from taskcfg.spec.pause import Pause
from taskcfg.spec.schedule import Qualified
from taskcfg.spec.task import TaskSpec
from taskcfg.spec.times.zones import zone_named

FORMAT_VERSION = "1.0"
FILE_COLUMN = 58
LEGEND = {"+": "create", "~": "update", "-": "delete"}
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


def plan_lines(plan: Plan, now: datetime | None = None) -> list[str]:
    """Return the plan as lines without its last one: legend, then each change by name.

    A day within a week of *now* is named by its weekday alone.
    """
    if not plan.has_changes:
        return []
    used = {symbol(change) for change in plan.changes}
    legend = ", ".join(f"{sign} {word}" for sign, word in LEGEND.items() if sign in used)
    lines = [f"Symbols: {legend}", ""]
    for change in by_name(plan):
        lines += change_lines(change, plan.source, now)
        if change.name in plan.paused and not isinstance(change, Delete):
            lines.append(_pause_line(plan.paused[change.name], change.spec.timezone, now))
    return [*lines, ""]


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


def by_name(plan: Plan) -> list[Change]:
    """Return the changes in the order they are shown; they are carried out in the plan's own."""
    return sorted(plan.changes, key=lambda change: change.name)


def symbol(change: Change) -> str:
    match change:
        case Create():
            return "+"
        case Update():
            return "~"
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
        case Update(live, spec, fields):
            lines = [_title("~", f"{spec.name} will be updated", spec.position)]
            if not fields:
                lines.append("      its row cannot be read and is written anew")
            shown = [field for field in fields if not says_the_same(field.before, field.after)]
            lines += _field_lines(shown, spec, _updated_line)
            lines += _calendar_lines(live.spec, spec, now)
            if live.changed_by_hand:
                lines.append("      ! changed by hand in the database since it was last applied")
            return lines
        case Delete(live):
            return [
                f"  - {live.name} will be deleted (not in source `{source}`)",
                "      retired: stops firing, history kept",
            ]
        case _:
            assert_never(change)


def _calendar_lines(before: TaskSpec | None, after: TaskSpec, now: datetime | None) -> list[str]:
    """Return a line for each calendar whose days are others than they were."""
    if before is None:
        return []
    today = None if now is None else now.date()
    changes = calendar_changes(before.schedule, after.schedule, today)
    return [f"      {path}  {text}" for path, text in changes]


def plan_document(
    plan: Plan,
    desired: Mapping[str, TaskSpec],
    *,
    timestamp: datetime,
    base_revision: int | None,
    repo: str | None = None,
    commit: str | None = None,
    dirty: bool | None = None,
) -> dict[str, Any]:
    """Return *plan* under Terraform's keys where the meaning is the same.

    *desired* is what it was made from; *repo*, *commit* and *dirty* say which files those were.
    Tasks that stay as they are are listed too, as `no-op`.
    """
    changes = [change_document(change) for change in plan.changes]
    changes += [unchanged_document(desired[name]) for name in plan.unchanged]
    rows = {
        change.live.name: change.live.version for change in by_name(plan) if not isinstance(change, Create)
    }
    total = plan.summary
    return {
        "format_version": FORMAT_VERSION,
        "timestamp": rfc3339(timestamp),
        "environment": None,
        "source": {"name": plan.source, "repo": repo, "commit": commit, "dirty": dirty},
        "base": {"revision": base_revision, "rows": rows},
        "resource_changes": sorted(changes, key=lambda change: str(change["address"])),
        "resource_drift": [],
        "paused": [pause_document(name, pause) for name, pause in plan.paused.items()],
        "summary": {
            "add": total.add,
            "change": total.change,
            "delete": total.delete,
            "rename": total.rename,
            "unchanged": total.unchanged,
        },
        "has_changes": plan.has_changes,
        "errored": False,
    }


def pause_document(name: str, pause: Pause) -> dict[str, Any]:
    """Return one element of `paused`."""
    until = None if pause.until is None else rfc3339(pause.until)
    return {"task": name, "by": pause.by, "reason": pause.reason, "until": until}


def change_document(change: Change) -> dict[str, Any]:
    """Return one element of `resource_changes`."""
    match change:
        case Create(spec, restores):
            reason = None if restores is None else "restored"
            return _resource(spec, "create", None, spec.document(), reason)
        case Update(live, spec, _):
            before = live.spec.document() if live.spec else None
            reason = "changed_by_hand" if live.changed_by_hand else None
            return _resource(spec, "update", before, spec.document(), reason)
        case Delete(live):
            before = live.spec.document() if live.spec else None
            gone = TaskSpec(live.name, live.spec.type if live.spec else "")
            return {**_resource(gone, "delete", before, None, "not_in_source"), "type": gone.type or None}
        case _:
            assert_never(change)


def unchanged_document(spec: TaskSpec) -> dict[str, Any]:
    document = spec.document()
    return _resource(spec, "no-op", document, document, None)


def _resource(
    spec: TaskSpec,
    action: str,
    before: Mapping[str, Any] | None,
    after: Mapping[str, Any] | None,
    reason: str | None,
) -> dict[str, Any]:
    position = spec.position
    return {
        "address": spec.name,
        "previous_address": None,
        "type": spec.type,
        "change": {"actions": [action], "before": before, "after": after},
        "action_reason": reason,
        "range": None
        if position is None
        else {"filename": position.file, "line": position.line, "column": position.column},
        "fires": None,
    }


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
