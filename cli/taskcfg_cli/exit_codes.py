"""What a command's exit code means: the same everywhere."""

from __future__ import annotations

from enum import IntEnum


class ExitCode(IntEnum):
    """One number, one meaning, for every command."""

    DONE = 0
    ERROR = 1
    CHANGES = 2
    STALE_PLAN = 3
    LOCK_TIMEOUT = 4
    REFUSED = 5
    APPROVAL_NEEDED = 6
    USAGE = 64
    INTERRUPTED = 130


BY_ERROR = {
    "stale_plan": ExitCode.STALE_PLAN,
    "overtaken": ExitCode.STALE_PLAN,
    "lock_timeout": ExitCode.LOCK_TIMEOUT,
    "unsafe_plan": ExitCode.REFUSED,
    "name_taken": ExitCode.REFUSED,
    "schema_in_use": ExitCode.REFUSED,
    "approval_needed": ExitCode.APPROVAL_NEEDED,
}
"""The errors, by their `code`, that have a number of their own; all others are `ERROR`."""


def exit_code_of(error_code: str) -> ExitCode:
    """Return the exit code for an error of taskcfg with that `code`."""
    return BY_ERROR.get(error_code, ExitCode.ERROR)
