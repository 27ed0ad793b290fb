"""`taskcfg list`: the tasks."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

import click

from taskcfg_cli import options
from taskcfg_cli.context import Invocation
from taskcfg_cli.render.json import print_json

if TYPE_CHECKING:
    from taskcfg.spec.selection import Selection
    from taskcfg.store.task_list import TaskRow

NONE_LIVE = "No task is live: `taskcfg apply` makes those of the task files so."
HEADINGS = ("NAME", "TYPE", "SCHEDULE", "STATE", "NEXT", "LAST")


@click.command("list")
@options.selectors()
@options.output()
@options.settings("database_url")
@options.general
@click.pass_obj
def command(invocation: Invocation, selection: Selection) -> None:
    """List the tasks.

    By name, with type, schedule, state, next and last fire: those that are live, or that are asked
    for. NAME may be a glob such as 'billing.*'.
    """
    with invocation.taskcfg() as taskcfg:
        tasks = taskcfg.tasks(selection)
    if invocation.as_json:
        from taskcfg.control.documents import task_document

        print_json({"tasks": [task_document(task) for task in tasks]})
    if not tasks:
        click.echo(NONE_LIVE if selection.is_empty else "No task matches.", err=True)
    if invocation.as_json or not tasks:
        return
    from taskcfg.clock import SystemClock
    from taskcfg_cli.render.table import table

    now = SystemClock().now()
    for line in table(HEADINGS, [_row(task, now) for task in tasks]):
        click.echo(line)


def _row(task: TaskRow, now: datetime) -> list[str | None]:
    from taskcfg_cli.render.tasks import last_text, next_text, rule_text

    return [task.name, task.type, rule_text(task), task.state, next_text(task, now), last_text(task, now)]
