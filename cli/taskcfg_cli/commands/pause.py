"""`taskcfg pause`: an operator's stop."""

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


@click.command("pause")
@options.selectors(required=True)
@click.option("--reason", required=True, metavar="TEXT", help="Why, for whoever looks next.")
@click.option(
    "--until",
    type=options.InstantValue(sign=1),
    metavar="INSTANT",
    help="Then it ends by itself: ISO 8601, or `2h` for two hours from now.",
)
@options.missed("when it ends (default: none)", default="none")
@options.output()
@options.settings("database_url")
@options.general
@click.pass_obj
def command(
    invocation: Invocation, selection: Selection, reason: str, until: datetime | None, missed: str
) -> None:
    """Stop tasks until they are resumed.

    No apply undoes it. NAME may be a glob such as 'billing.*', and means the tasks of this moment.
    """
    if not reason.strip():
        raise click.UsageError("--reason says nothing; say why, for whoever looks next")
    with invocation.taskcfg() as taskcfg:
        report = taskcfg.pause(selection, reason=reason, until=until, missed=missed)
    if invocation.as_json:
        print_json(report.document())
        return
    from taskcfg_cli.render.table import one_line
    from taskcfg_cli.render.times import stamp

    for task in report.tasks:
        click.echo(paused_line(task))
    for name, before in report.replaced.items():
        since = f"{name} was paused already, by {before.by} since {stamp(before.since)}: {before.reason}"
        click.echo(one_line(since), err=True)


def paused_line(task: TaskRow) -> str:
    """Return `billing.nightly paused until Fri 23 Oct 18:00 BST: INC-4211`."""
    from taskcfg.clock import SystemClock
    from taskcfg_cli.render.table import one_line
    from taskcfg_cli.render.tasks import zone_of
    from taskcfg_cli.render.times import local_words

    if task.pause is None:  # resumed again by somebody else
        return f"{task.name} {task.state}"
    until = task.pause.until
    end = f" until {local_words(until, zone_of(task), SystemClock().now())}" if until else ""
    return one_line(f"{task.name} paused{end}: {task.pause.reason}")
