"""What one check of `taskcfg doctor` found, and the checks that need no database."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from enum import StrEnum
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from taskcfg.control.offline import check_files
from taskcfg.errors import TaskcfgError, count
from taskcfg.settings import FILE_NAME, Settings, find_file
from taskcfg.types.registry import types_of


class Level(StrEnum):
    """`warn` is worth a look, and nothing is broken; with `fail` something does not work."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"


@dataclass(frozen=True, slots=True)
class Finding:
    """The outcome of one check: `reason` says what was found, `hint` what to do."""

    check: str
    level: Level
    reason: str
    hint: str | None = None

    @property
    def ok(self) -> bool:
        return self.level is not Level.FAIL

    def document(self) -> dict[str, Any]:
        return {
            "check": self.check,
            "ok": self.ok,
            "level": self.level.value,
            "reason": self.reason,
            "hint": self.hint,
        }


def ok(check: str, reason: str) -> Finding:
    return Finding(check, Level.OK, reason)


def warn(check: str, reason: str, hint: str) -> Finding:
    return Finding(check, Level.WARN, reason, hint)


def fail(check: str, reason: str, hint: str | None) -> Finding:
    return Finding(check, Level.FAIL, reason, hint)


def failed(check: str, error: TaskcfgError) -> Finding:
    return fail(check, error.message, error.hint)


def named(tasks: Sequence[str]) -> str:
    """Name the tasks: the first five, and how many more there are."""
    shown = ", ".join(f"`{name}`" for name in tasks[:5])
    return f"{shown} and {len(tasks) - 5} more" if len(tasks) > 5 else shown


def settings_found(settings: Settings) -> Finding:
    """The settings could be read; say from where."""
    if find_file(settings.project_root) is None:
        return ok("settings", f"no {FILE_NAME}: the defaults, in {settings.project_root}")
    return ok("settings", str(settings.project_root / FILE_NAME))


def zone_data(zone: Callable[[str], tzinfo] = ZoneInfo) -> Finding:
    """Time zones can be found, and one that changed its rules lately is as it should be."""
    hint = "install the system's tzdata, or: pip install --upgrade tzdata"
    try:
        winter = datetime(2025, 1, 15, tzinfo=UTC).astimezone(zone("America/New_York"))
        almaty = datetime(2025, 1, 15, tzinfo=UTC).astimezone(zone("Asia/Almaty"))
    except (ZoneInfoNotFoundError, OSError, ValueError) as error:
        return fail("time_zones", f"no time zone data: {error}", hint)
    if winter.utcoffset() != timedelta(hours=-5):
        return fail("time_zones", f"the data is wrong: New York is at {winter:%z} in January", hint)
    if almaty.utcoffset() != timedelta(hours=5):
        return warn("time_zones", "the data is older than 2024", hint)
    return ok("time_zones", "the data is there, and no older than 2024")


def types_loaded(settings: Settings) -> Finding:
    """Every module of types can be imported."""
    try:
        registry = types_of(settings)
    except TaskcfgError as error:
        return failed("types", error)
    return ok("types", ", ".join(registry.names()))


def task_files(settings: Settings) -> Finding:
    """The task files can be read, and hold no problem."""
    try:
        checked = check_files(settings)
    except TaskcfgError as error:
        return failed("task_files", error)
    if not checked.valid:
        return fail("task_files", checked.total(), "`taskcfg validate` shows them")
    if not checked.tasks:
        return warn(
            "task_files", f"{settings.tasks_dir} declares no task", "`taskcfg init` writes a first one"
        )
    return ok("task_files", f"{count(checked.tasks, 'task')} in {count(checked.files, 'file')}")
