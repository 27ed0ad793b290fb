"""`taskcfg validate`: every problem in the task files, at once."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from taskcfg_cli import options
from taskcfg_cli.context import Invocation
from taskcfg_cli.exit_codes import ExitCode
from taskcfg_cli.render.json import print_json
from taskcfg_cli.render.progress import progress

if TYPE_CHECKING:
    from taskcfg.control.offline import Checked

STDIN = "-"
REPORTS = ("github", "gitlab", "junit", "sarif")


@click.command("validate")
@click.argument("paths", nargs=-1, metavar="[PATH]...")
@click.option("--strict", is_flag=True, help="Let warnings count as problems.")
@options.output("text", "json", *REPORTS)
@options.settings("tasks_dir")
@options.general
@click.pass_obj
def command(invocation: Invocation, paths: tuple[str, ...], strict: bool) -> int:
    """Check task files, offline; shows all problems at once.

    Checks the files and folders given, else the tasks folder; `-` is stdin. Exits 1 when there is
    a problem.
    """
    checked = _check(invocation, paths, strict)
    if invocation.as_json:
        print_json(checked.document())
    elif invocation.format in REPORTS:
        _print_report(invocation.format, checked.in_repository())
        click.echo(checked.total(), err=True)
    else:
        from taskcfg_cli.render.table import printable

        for problem in checked.problems:
            click.echo(printable(problem.text()))
        click.echo(checked.total())
    return ExitCode.DONE if checked.valid else ExitCode.ERROR


def _print_report(format: str, checked: Checked) -> None:
    """Print the report; one that is a document of its own is UTF-8, whatever the terminal."""
    match format:
        case "github":
            from taskcfg_cli.render.reports.github import github

            click.echo(github(checked).encode(), nl=False)
        case "gitlab":
            from taskcfg_cli.render.reports.gitlab import gitlab

            print_json(gitlab(checked))
        case "junit":
            from taskcfg_cli.render.reports.junit import junit

            click.echo(junit(checked).encode(), nl=False)
        case "sarif":
            from importlib.metadata import version

            from taskcfg_cli.render.reports.sarif import sarif

            print_json(sarif(checked, version("taskcfg")))


def _check(invocation: Invocation, paths: tuple[str, ...], strict: bool) -> Checked:
    settings = invocation.settings()
    from taskcfg.control.offline import check_files, check_text

    if STDIN not in paths:
        with progress("Reading task files", quiet=invocation.format != "text"):
            return check_files(settings, [Path(path) for path in paths], strict=strict)
    if len(paths) > 1:
        raise click.UsageError("`-` stands for the one file on stdin and goes with no other path")
    if sys.stdin is None:
        raise click.UsageError("`-` is stdin, and stdin is closed")
    with click.open_file(STDIN, "rb") as stdin:
        return check_text(settings, stdin.read(), strict=strict)
