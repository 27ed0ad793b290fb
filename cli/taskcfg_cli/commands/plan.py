"""`taskcfg plan`: what apply would change."""

from __future__ import annotations

import shlex
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import click

from taskcfg_cli import options
from taskcfg_cli.context import Invocation
from taskcfg_cli.exit_codes import ExitCode
from taskcfg_cli.guard_flags import ADOPT
from taskcfg_cli.render.actions import tell_actions
from taskcfg_cli.render.json import print_json
from taskcfg_cli.render.plan import print_plan, print_warnings
from taskcfg_cli.render.table import printable
from taskcfg_cli.render.times import stamp

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
@ADOPT
@click.option(
    "--out",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Save the plan there, for `taskcfg apply FILE`.",
)
@click.option(
    "--against",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="SNAPSHOT",
    help="Ask this file of `taskcfg snapshot`, and no database.",
)
@click.option(
    "--horizon",
    type=options.DurationValue(),
    metavar="DURATION",
    default="7d",
    show_default=True,
    help="How far ahead to look at fires.",
)
@click.option(
    "--detailed-exitcode", is_flag=True, help="Exit 2 when there are changes, 0 when there are none."
)
@options.output("text", "json", "markdown")
@options.settings("tasks_dir", "database_url", "source")
@options.general
@click.pass_obj
def command(
    invocation: Invocation,
    files: tuple[Path, ...],
    adopt: tuple[str, ...],
    out: Path | None,
    against: Path | None,
    horizon: timedelta,
    detailed_exitcode: bool,
) -> int:
    """Show what apply would change.

    Reads the task files and the database, and changes nothing there.
    """
    _check_usage(invocation, out, files, adopt, against)
    with invocation.taskcfg() as taskcfg:
        only = [path.absolute() for path in files] or None
        report = taskcfg.plan(only, adopt=adopt, against=against, horizon=horizon)
        refusal = _refusal(taskcfg, report)
    if out is not None:
        from taskcfg.control.plan_files import save_plan

        save_plan(report, out)
    tell_actions(report, refusal)
    print_warnings(report.warnings)
    if invocation.as_json:
        print_json(report.document())
    elif invocation.format == "markdown":
        click.echo(printable(report.markdown(refusal)).encode(), nl=False)
    else:
        print_plan(report.lines())
    if report.as_of is not None:
        click.echo(f"Compared with the snapshot of {stamp(report.as_of)}", err=True)
    if refusal:
        click.echo(printable(refusal), err=True)
    if out is not None:
        click.echo(f"Saved: `taskcfg apply {printable(shlex.quote(str(out)))}` does exactly this", err=True)
    return ExitCode.CHANGES if detailed_exitcode and report.plan.has_changes else ExitCode.DONE


def _check_usage(
    invocation: Invocation,
    out: Path | None,
    files: tuple[Path, ...],
    adopt: tuple[str, ...],
    against: Path | None,
) -> None:
    """Refuse options that do not go together, and to write over what is read."""
    if against is not None and adopt:
        raise click.UsageError("--adopt is about other sources' tasks, which no snapshot holds")
    if out is None:
        return
    from taskcfg.source.folders import environment_folders

    settings = invocation.settings()
    where, read = out.resolve(), [path.resolve() for path in files]
    folders = [folder.resolve() for folder in (settings.tasks_dir, *environment_folders(settings.tasks_dir))]
    if where == Path.cwd():
        raise click.UsageError("--out takes the name of a file")
    if where in read or any(where.is_relative_to(folder) for folder in folders):
        raise click.UsageError(f"--out: {out} is among the task files, where a plan is none")


def _refusal(taskcfg: Taskcfg, report: PlanReport) -> str | None:
    """Return what a guard will say to an apply of this plan."""
    from taskcfg.errors import UnsafePlan

    try:
        taskcfg.check_safe(report.plan)
    except UnsafePlan as refused:
        return f"apply will refuse this: {refused.message}\n    {refused.hint}"
    return None
