"""`taskcfg export`: what is live, as a task file."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from taskcfg_cli import options
from taskcfg_cli.context import Invocation
from taskcfg_cli.render.json import print_json
from taskcfg_cli.render.table import printable

if TYPE_CHECKING:
    from taskcfg.control import Taskcfg
    from taskcfg.spec.selection import Selection
    from taskcfg.store.task_list import TaskRow

FILE = click.Path(path_type=Path, dir_okay=False)


@click.command("export")
@options.selectors()
@click.option(
    "--out",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Write there, not to stdout.",
)
@click.option(
    "--dir",
    "folder",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="DIR",
    help="Write a folder of task files there, with the calendars they name.",
)
@click.option("--force", is_flag=True, help="Replace files that are there.")
@click.option("--all-sources", is_flag=True, help="The tasks of other sources too.")
@options.output("text", "yaml", "json")
@options.settings("database_url", "source")
@options.general
@click.pass_obj
def command(
    invocation: Invocation,
    selection: Selection,
    out: Path | None,
    folder: Path | None,
    force: bool,
    all_sources: bool,
) -> None:
    """Write the live tasks as a task file that plans to no change.

    Those of this source. What is a default is left out. With --dir, a folder of files as they came from.
    """
    if folder is not None and out is not None:
        raise click.UsageError("--out is one file and --dir a folder: give one of them.")
    with invocation.taskcfg() as taskcfg:
        rows = taskcfg.tasks(selection)
        if not all_sources:
            rows = [row for row in rows if row.source == taskcfg.settings.source]
        if folder is not None:
            _write_folder(invocation, taskcfg, rows, folder, force=force, by_source=all_sources)
            return
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


def _write_folder(
    invocation: Invocation,
    taskcfg: Taskcfg,
    rows: Sequence[TaskRow],
    folder: Path,
    *,
    force: bool,
    by_source: bool,
) -> None:
    from taskcfg.control.export_folder import export_folder
    from taskcfg.errors import count

    done = export_folder(
        rows, taskcfg.registry, folder.absolute(), taskcfg.settings, by_source=by_source, force=force
    )
    if invocation.as_json:
        print_json(done.document())
        return
    for file in done.files:
        click.echo(printable(file))
    written = f"{count(done.tasks, 'task')} written to {count(len(done.files), 'file')} in {folder}"
    click.echo(printable(written), err=True)


def _write(out: Path, text: str, *, force: bool) -> None:
    from taskcfg.errors import TaskcfgError
    from taskcfg.source.replacing import replace_file

    if not force and out.exists():
        raise TaskcfgError(f"{out} is there already", hint="`--force` replaces it")
    try:
        replace_file(out, text.encode())
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(out)) from error
