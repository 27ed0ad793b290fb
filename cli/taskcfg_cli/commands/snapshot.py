"""`taskcfg snapshot`: what is live, for plans where no database is."""

from __future__ import annotations

from pathlib import Path

import click

from taskcfg_cli import options
from taskcfg_cli.context import Invocation
from taskcfg_cli.render.json import print_json
from taskcfg_cli.render.table import printable


@click.command("snapshot")
@click.option(
    "--out",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Write there, not to stdout.",
)
@options.output()
@options.settings("database_url", "source")
@options.general
@click.pass_obj
def command(invocation: Invocation, out: Path | None) -> None:
    """Write what is live, for `plan --against` where no database is.

    The tasks of this source with their params, its pauses, and the names that other sources have.
    """
    with invocation.taskcfg() as taskcfg:
        document = taskcfg.snapshot()
    if out is None or invocation.as_json:
        print_json(document, readable=not invocation.as_json)
    if out is not None:
        from taskcfg.control.snapshots import save_snapshot
        from taskcfg.errors import count

        save_snapshot(document, out)
        click.echo(printable(f"{count(len(document['tasks']), 'task')} written to {out}"), err=True)
