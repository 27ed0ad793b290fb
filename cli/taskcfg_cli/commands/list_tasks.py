"""`taskcfg list`: the tasks."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

import click

from taskcfg_cli import options
from taskcfg_cli.context import Invocation
from taskcfg_cli.render.json import print_json

if TYPE_CHECKING:
    from taskcfg.store.task_list import TaskRow

HEADINGS = ("NAME", "TYPE", "SCHEDULE", "STATE", "NEXT", "LAST")


@click.command("list")
@options.output()
@options.settings("database_url")
@options.general
@click.pass_obj
def command(invocation: Invocation) -> None:
    """List the tasks.

    Those that are live, by name, with type, schedule, state, next and last fire.
    """
    with invocation.taskcfg() as taskcfg:
        tasks = taskcfg.tasks()
    if invocation.as_json:
        from taskcfg.control.documents import task_document

        print_json({"tasks": [task_document(task) for task in tasks]})
        return
    if not tasks:
        click.echo("No task is live: `taskcfg apply` makes those of the task files so.", err=True)
        return
    from taskcfg.clock import SystemClock
    from taskcfg_cli.render.table import table

    now = SystemClock().now()
    for line in table(HEADINGS, [_row(task, now) for task in tasks]):
        click.echo(line)


def _row(task: TaskRow, now: datetime) -> list[str | None]:
    from taskcfg_cli.render.tasks import last_text, next_text, rule_text

    return [task.name, task.type, rule_text(task), task.state, next_text(task, now), last_text(task, now)]
