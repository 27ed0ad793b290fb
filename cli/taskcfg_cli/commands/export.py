"""`taskcfg export`: what is live, as a task file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from taskcfg_cli import options
from taskcfg_cli.context import Invocation
from taskcfg_cli.render.json import print_json

if TYPE_CHECKING:
    from taskcfg.spec.selection import Selection

FILE = click.Path(path_type=Path, dir_okay=False)


@click.command("export")
@options.selectors()
@click.option(
    "--out",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Write there, not to stdout.",
)
@click.option("--force", is_flag=True, help="Replace FILE if it is there.")
@click.option("--all-sources", is_flag=True, help="The tasks of other sources too.")
@options.output("text", "yaml", "json")
@options.settings("database_url", "source")
@options.general
@click.pass_obj
def command(
    invocation: Invocation, selection: Selection, out: Path | None, force: bool, all_sources: bool
) -> None:
    """Write the live tasks as a task file that plans to no change.

    Those of this source. What is a default is left out.
    """
    with invocation.taskcfg() as taskcfg:
        rows = taskcfg.tasks(selection)
        if not all_sources:
            rows = [row for row in rows if row.source == taskcfg.settings.source]
        from taskcfg.control.exporting import calendar_files, declarations, exported

        for file in calendar_files(rows):
            click.echo(f"the tasks need the calendar {file}, which is not exported", err=True)
        if invocation.as_json:
            print_json({"tasks": declarations(rows, taskcfg.registry)})
            return
        text = exported(rows, taskcfg.registry)
    if out is None:
        click.echo(text, nl=False)
        return
    _write(out, text, force=force)
    from taskcfg.errors import count

    click.echo(f"{count(len(rows), 'task')} written to {out}", err=True)


def _write(out: Path, text: str, *, force: bool) -> None:
    from taskcfg.errors import TaskcfgError
    from taskcfg.source.replacing import replace_file

    if not force and out.exists():
        raise TaskcfgError(f"{out} is there already", hint="`--force` replaces it")
    try:
        replace_file(out, text.encode())
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(out)) from error
