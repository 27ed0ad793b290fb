"""Live tasks as a task file."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from taskcfg.errors import TaskcfgError, count
from taskcfg.source.writing import declaration_of, file_text
from taskcfg.store.task_list import TaskRow
from taskcfg.types.registry import Registry

NAMED = 5
"""So many tasks at most are named in an error."""


def declarations(rows: Sequence[TaskRow], registry: Registry) -> dict[str, dict[str, Any]]:
    """Return what a task file says of the tasks, by name. Raises TaskcfgError when a row cannot be read."""
    unreadable = [row.name for row in rows if row.spec is None]
    if unreadable:
        names = ", ".join(f"`{name}`" for name in unreadable[:NAMED])
        more = " and more" if len(unreadable) > NAMED else ""
        raise TaskcfgError(
            f"{count(len(unreadable), 'task')} cannot be read: {names}{more}",
            hint="`taskcfg show NAME` says why; `taskcfg apply` mends a row that was changed by hand",
        )
    return {row.name: declaration_of(row.spec, registry) for row in rows if row.spec is not None}


def exported(rows: Sequence[TaskRow], registry: Registry) -> str:
    """Return the tasks as the text of a task file. Raises TaskcfgError when a row cannot be read."""
    return file_text(declarations(rows, registry))
