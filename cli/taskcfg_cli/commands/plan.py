"""`taskcfg plan`: what apply would change."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from taskcfg_cli import options
from taskcfg_cli.context import Invocation
from taskcfg_cli.exit_codes import ExitCode
from taskcfg_cli.render.json import print_json
from taskcfg_cli.render.plan import print_plan, print_warnings
from taskcfg_cli.render.table import printable

if TYPE_CHECKING:
    from taskcfg.control import Taskcfg
    from taskcfg.control.plans import PlanReport


@click.command("plan")
@click.option(
    "-f",
    "files",
    multiple=True,
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="Only these files; such a plan never deletes.",
)
@click.option(
    "--detailed-exitcode", is_flag=True, help="Exit 2 when there are changes, 0 when there are none."
)
@options.output()
@options.settings("tasks_dir", "database_url", "source")
@options.general
@click.pass_obj
def command(invocation: Invocation, files: tuple[Path, ...], detailed_exitcode: bool) -> int:
    """Show what apply would change.

    Reads the task files and the database, and changes nothing.
    """
    with invocation.taskcfg() as taskcfg:
        report = taskcfg.plan([path.absolute() for path in files] or None)
        refusal = _refusal(taskcfg, report)
    print_warnings(report.warnings)
    if invocation.as_json:
        print_json(report.document())
    else:
        print_plan(report.lines())
    if refusal:
        click.echo(printable(refusal), err=True)
    return ExitCode.CHANGES if detailed_exitcode and report.plan.has_changes else ExitCode.DONE


def _refusal(taskcfg: Taskcfg, report: PlanReport) -> str | None:
    """Return what a guard will say to an apply of this plan."""
    from taskcfg.errors import UnsafePlan

    try:
        taskcfg.check_safe(report.plan)
    except UnsafePlan as refused:
        return f"apply will refuse this: {refused.message}\n    {refused.hint}"
    return None
