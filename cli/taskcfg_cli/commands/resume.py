"""`taskcfg resume`: the end of a pause."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from taskcfg_cli import options
from taskcfg_cli.context import Invocation
from taskcfg_cli.render.json import print_json

if TYPE_CHECKING:
    from taskcfg.spec.selection import Selection
    from taskcfg.store.pauses import Resumed
    from taskcfg.store.task_list import TaskRow


@click.command("resume")
@options.selectors(required=True)
@options.missed("now (default: as was said when pausing)")
@options.output()
@options.settings("database_url")
@options.general
@click.pass_obj
def command(invocation: Invocation, selection: Selection, missed: str | None) -> None:
    """End the pause of tasks.

    They fire again from now on; what they missed is recorded. NAME may be a glob such as 'billing.*'.
    """
    with invocation.taskcfg() as taskcfg:
        report = taskcfg.resume(selection, missed=missed)
    if invocation.as_json:
        print_json(report.document())
    for task in report.tasks:
        if task.name not in report.resumed and task.name in selection.names:
            click.echo(f"{task.name} is not paused.", err=True)
        elif task.name in report.resumed and not invocation.as_json:
            click.echo(_line(task, report.resumed[task.name]))
    if not report.resumed and not selection.exact_names:
        click.echo("None of them is paused.", err=True)


def _line(task: TaskRow, resumed: Resumed) -> str:
    from taskcfg.clock import SystemClock
    from taskcfg.errors import count
    from taskcfg_cli.render.tasks import next_text

    coming = next_text(task, SystemClock().now())
    parts = [f"next fire {coming}" if coming else f"{task.state}, no fire is to come"]
    made_up = f"{count(resumed.fires, 'missed fire')} made up" if resumed.fires else None
    said = ((resumed.skipped, "skipped"), (resumed.missed, "missed"))
    parts += [*filter(None, [made_up]), *(f"{number} {what}" for number, what in said if number)]
    return f"{task.name} resumed: {', '.join(parts)}"
