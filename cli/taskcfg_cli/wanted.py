"""The tasks that `next` and `heatmap` are asked about: of the database, or of files without one."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from taskcfg_cli.context import Invocation

if TYPE_CHECKING:
    from taskcfg.spec.pause import Pause
    from taskcfg.spec.selection import Selection
    from taskcfg.spec.task import TaskSpec


@dataclass(frozen=True, slots=True)
class Wanted:
    """Tasks by name, the pauses over some of them, and the names of those whose rows cannot be read.

    `begun` is, of those of the database, the first nominal time that is still to be fired.
    """

    specs: dict[str, TaskSpec]
    pauses: dict[str, Pause] = field(default_factory=dict)
    unreadable: tuple[str, ...] = ()
    begun: dict[str, datetime] = field(default_factory=dict)

    def remarks(self, selection: Selection, firing: set[str]) -> Iterator[str]:
        """Say why no task, or a task that was named, fires; *firing* are those that do."""
        yield from (f"{name} cannot be read: `taskcfg show {name}` says why." for name in self.unreadable)
        if self.unreadable and not self.specs:
            return
        if not self.specs and not selection.is_empty:
            yield "No task matches."
        elif not self.specs:
            yield "No task is live: `taskcfg apply` makes those of the task files so."
        elif not firing:
            yield "Nothing fires in that time."
        for name, spec in self.specs.items():
            if name in selection.names and not spec.enabled:
                yield f"{name} is not enabled: it fires only when it is run."
        yield from self._pauses(selection, firing)

    def _pauses(self, selection: Selection, firing: set[str]) -> Iterator[str]:
        named = [name for name in self.pauses if name in selection.names]
        for name in named:
            yield _pause_words(name, self.pauses[name])
        others = [name for name in self.pauses if name in firing and name not in named]
        if others:
            are = "1 task shown is" if len(others) == 1 else f"{len(others):,} tasks shown are"
            yield f"{are} paused: `taskcfg list --state paused`."


def wanted_tasks(invocation: Invocation, files: tuple[Path, ...], selection: Selection) -> Wanted:
    """Return the tasks of *files* that *selection* means, or without files those of the database."""
    if not files:
        with invocation.taskcfg() as taskcfg:
            rows = taskcfg.declared(selection)
        specs = {row.name: row.spec for row in rows if row.spec is not None}
        pauses = {row.name: row.pause for row in rows if row.pause is not None}
        begun = {row.name: row.next_nominal_at for row in rows if row.next_nominal_at is not None}
        return Wanted(specs, pauses, tuple(row.name for row in rows if row.spec is None), begun)
    if selection.states:
        raise click.UsageError("--state is about the database's tasks and does not go with -f")
    settings = invocation.settings()
    from taskcfg.control.offline import read_specs
    from taskcfg.control.offline_names import chosen

    return Wanted(chosen(read_specs(settings, files), selection))


def _pause_words(name: str, pause: Pause) -> str:
    from taskcfg_cli.render.table import shortened
    from taskcfg_cli.render.times import stamp

    until = f" until {stamp(pause.until)}" if pause.until else ""
    then = "before then it fires" if pause.until else "it fires"
    return f"{name} is paused by {pause.by}{until} ({shortened(pause.reason)}): {then} only if it is resumed."
