"""Fires that were asked for: their ids at once, and how they ended if somebody waits."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from datetime import timedelta
from typing import TYPE_CHECKING

import click

from taskcfg_cli.context import Invocation
from taskcfg_cli.exit_codes import ExitCode
from taskcfg_cli.render.json import print_json

if TYPE_CHECKING:
    from taskcfg.control import Taskcfg
    from taskcfg.control.running import Requested


def show_requested(
    invocation: Invocation,
    taskcfg: Taskcfg,
    requested: Sequence[Requested],
    *,
    wait: bool,
    timeout: timedelta | None,
) -> ExitCode:
    """Print the fires' ids, wait for their ends if *wait* says so, and return the exit code."""
    if not invocation.as_json:
        _print_ids(requested)
    for line in _missing_processes(taskcfg):
        click.echo(line, err=True)
    if wait:
        requested = taskcfg.wait(requested, None if timeout is None else timeout.total_seconds())
    if invocation.as_json:
        print_json({"fires": [each.document() for each in requested]})
    elif wait:
        for each in requested:
            click.echo(_outcome(each))
    return ExitCode.ERROR if wait and not all(each.succeeded for each in requested) else ExitCode.DONE


def _print_ids(requested: Sequence[Requested]) -> None:
    for each in requested:
        click.echo(f"{each.fire.id}" if len(requested) == 1 else f"{each.fire.id}  {each.fire.task}")
    sys.stdout.flush()


def _missing_processes(taskcfg: Taskcfg) -> list[str]:
    """Say which process the fires wait for, where one is missing."""
    status = taskcfg.status()
    lines = []
    if not any(node.alive for node in status.schedulers):
        lines.append("No scheduler is alive: the fire waits in the outbox for one (`taskcfg scheduler`).")
    if not any(node.alive for node in status.workers):
        lines.append("No worker of taskcfg is alive: the fire waits for one (`taskcfg worker`).")
    return lines


def _outcome(each: Requested) -> str:
    """Return one line: the task, how it ended, how long it took, and why it failed."""
    from taskcfg_cli.render.table import shortened
    from taskcfg_cli.render.times import span

    execution = each.execution
    took = f" in {span(execution.duration)}" if execution and execution.duration is not None else ""
    why = (execution.error if execution else None) or each.fire.reason
    return f"{each.fire.task} {each.outcome}{took}" + (
        f": {shortened(why)}" if why and not each.succeeded else ""
    )
