"""`taskcfg blame`: who set each field of a task."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from taskcfg_cli import completion, options
from taskcfg_cli.context import Invocation
from taskcfg_cli.render.json import print_json
from taskcfg_cli.render.table import shortened, table

if TYPE_CHECKING:
    from taskcfg.control.blaming import BlameReport
    from taskcfg.reconcile.past import Blamed

HEADINGS = ("FIELD", "VALUE", "REVISION", "APPLIED", "BY", "COMMIT", "AUTHOR")
BY_HAND = "by hand"


@click.command("blame")
@click.argument("name", shell_complete=completion.task_names)
@options.output()
@options.settings("database_url")
@options.general
@click.pass_obj
def command(invocation: Invocation, name: str) -> None:
    """Show who set each field of a task: in which commit and revision, and when.

    Through all the names it had; also of a task that was deleted.
    """
    with invocation.taskcfg() as taskcfg:
        report = taskcfg.blame(name)
    if invocation.as_json:
        print_json(report.document())
        return
    for line in table(HEADINGS, [_row(report, field) for field in report.fields]):
        click.echo(line)
    if report.unreadable:
        click.echo(
            f"{name}'s row cannot be read: this was applied last. `taskcfg show {name}` says why.", err=True
        )


def _row(report: BlameReport, field: Blamed) -> list[str | None]:
    from taskcfg.reconcile.describe import value_text
    from taskcfg_cli.render.times import stamp

    value = shortened(value_text(field.field, field.value), 60)
    change = report.change_of(field)
    if change is None:
        return [field.field, value, BY_HAND, None, None, None, None]
    commit = change.commit and change.commit[:8]
    return [field.field, value, str(change.revision), stamp(change.at), change.actor, commit, change.author]
