"""`taskcfg fmt`: the canonical layout of task files."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from taskcfg_cli import options
from taskcfg_cli.context import Invocation
from taskcfg_cli.exit_codes import ExitCode
from taskcfg_cli.render.json import print_json

if TYPE_CHECKING:
    from taskcfg.control.formatting import Formatted

STDIN = "-"


@click.command("fmt")
@click.argument("paths", nargs=-1, metavar="[PATH]...")
@click.option("--check", is_flag=True, help="Write nothing; exit 1 when a file would change.")
@options.output()
@options.settings("tasks_dir")
@options.general
@click.pass_obj
def command(invocation: Invocation, paths: tuple[str, ...], check: bool) -> int:
    """Put task files into the canonical layout; comments are kept.

    Formats the files and folders given, else the tasks folder; `-` formats stdin to stdout. A file
    that cannot be formatted safely is left as it is. Exits 1 when there is one.
    """
    settings = invocation.settings()
    from taskcfg.control.formatting import format_files

    if STDIN in paths:
        return _format_stdin(invocation, paths, check)
    done = format_files(settings, [Path(path) for path in paths], check=check)
    if invocation.as_json:
        print_json(done.document())
    else:
        from taskcfg_cli.render.table import printable

        for file in done.changed:
            click.echo(printable(file))
        _say(done, err=False)
    return ExitCode.DONE if done.succeeded else ExitCode.ERROR


def _format_stdin(invocation: Invocation, paths: tuple[str, ...], check: bool) -> int:
    if len(paths) > 1:
        raise click.UsageError("`-` stands for the one file on stdin and goes with no other path")
    if sys.stdin is None:
        raise click.UsageError("`-` is stdin, and stdin is closed")
    from taskcfg.control.formatting import format_text

    with click.open_file(STDIN, "rb") as stdin:
        text, done = format_text(stdin.read())
    done = replace(done, is_check=check)
    if invocation.as_json:
        print_json(done.document())
    else:
        if not check:
            click.echo(text.encode("utf-8", "surrogatepass"), nl=False)
        if check or done.problems:
            _say(done, err=True)
    return ExitCode.DONE if done.succeeded else ExitCode.ERROR


def _say(done: Formatted, *, err: bool) -> None:
    from taskcfg_cli.render.table import printable

    for problem in done.problems:
        click.echo(printable(problem.text()), err=err)
    click.echo(done.total(), err=err)
