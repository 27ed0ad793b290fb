"""Live tasks as a task file."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from taskcfg.errors import TaskcfgError, count
from taskcfg.source.writing import declaration_of, file_text
from taskcfg.spec.schedule import calendars_of
from taskcfg.store.task_list import TaskRow
from taskcfg.types.registry import Registry

NAMED = 5
"""So many tasks at most are named in an error."""


def declarations(rows: Sequence[TaskRow], registry: Registry) -> dict[str, dict[str, Any]]:
    """Return what a task file says of the tasks, by name.

    Raises TaskcfgError when a row cannot be read, or when two have one name: none is left out unsaid.
    """
    unreadable = [row.name for row in rows if row.spec is None]
    if unreadable:
        raise TaskcfgError(
            f"{count(len(unreadable), 'task')} cannot be read: {_listed(unreadable)}",
            hint="`taskcfg show NAME` says why; `taskcfg apply` mends a row that was changed by hand",
        )
    several = [name for name, rows_of_it in Counter(row.name for row in rows).items() if rows_of_it > 1]
    if several:
        raise TaskcfgError(
            f"{_listed(several)}: several tasks of one name, retired ones among them",
            hint="a file declares a name once: leave out `--state`, or `--all-sources`",
        )
    return {row.name: declaration_of(row.spec, registry) for row in rows if row.spec is not None}


def _listed(names: Sequence[str]) -> str:
    return ", ".join(f"`{name}`" for name in names[:NAMED]) + (" and more" if len(names) > NAMED else "")


def exported(rows: Sequence[TaskRow], registry: Registry) -> str:
    """Return the tasks as the text of a task file. Raises TaskcfgError as `declarations` does."""
    return file_text(declarations(rows, registry))


def calendar_files(rows: Sequence[TaskRow]) -> list[str]:
    """Return the files of the calendars that the tasks name, which no task file holds."""
    named = {calendar.name for row in rows if row.spec for calendar in calendars_of(row.spec.schedule)}
    return [f"calendars/{name}.yaml" for name in sorted(named)]
