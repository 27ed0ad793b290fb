"""`taskcfg apply`: the database comes to say what the files say."""

from __future__ import annotations

import sys
from datetime import timedelta
from typing import TYPE_CHECKING, NamedTuple

import click

from taskcfg_cli import options
from taskcfg_cli.context import Invocation
from taskcfg_cli.exit_codes import ExitCode
from taskcfg_cli.render.json import print_json
from taskcfg_cli.render.plan import print_plan, print_warnings
from taskcfg_cli.render.progress import progress

if TYPE_CHECKING:
    from taskcfg.control import Taskcfg
    from taskcfg.control.plans import PlanReport


@click.command("apply")
@click.option("-y", "--yes", "--auto-approve", "approved", is_flag=True, help="Do not ask.")
@click.option("--dry-run", is_flag=True, help="Show the plan, check the guards, and change nothing.")
@click.option(
    "--lock-timeout",
    type=options.DurationValue(),
    default="30s",
    show_default=True,
    metavar="DURATION",
    help="How long to wait for another apply.",
)
@click.option("--allow-empty", is_flag=True, help="Go on when the files declare no task at all.")
@click.option(
    "--max-delete",
    type=click.IntRange(0),
    metavar="N",
    help="How many tasks may be deleted (default: 3, or a fifth of the source's tasks).",
)
@options.output()
@options.settings("tasks_dir", "database_url", "source")
@options.general
@click.pass_obj
def command(
    invocation: Invocation,
    approved: bool,
    dry_run: bool,
    lock_timeout: timedelta,
    allow_empty: bool,
    max_delete: int | None,
) -> int:
    """Make the database match the task files.

    In one transaction: all of the plan, or none of it. Asks first, unless told not to.
    """
    with invocation.taskcfg() as taskcfg:
        guards = Guards(allow_empty, max_delete)
        if dry_run:
            _rehearse(invocation, taskcfg, guards)
            return ExitCode.DONE
        expected = None
        if not approved:
            with progress("Planning", quiet=invocation.as_json):
                report = taskcfg.plan()
            if report.plan.has_changes:
                _ask(invocation, taskcfg, report, guards)
                expected = report.plan
        with progress("Applying", quiet=invocation.as_json):
            done = taskcfg.apply(
                expected=expected,
                allow_empty=allow_empty,
                max_delete=max_delete,
                lock_timeout=lock_timeout.total_seconds(),
            )
    if invocation.as_json:
        print_json(done.document())
    else:
        print_warnings(done.report.warnings)
        print_plan(done.lines() if expected is None else done.lines()[-1:])
    return ExitCode.DONE


class Guards(NamedTuple):
    allow_empty: bool
    max_delete: int | None


def _rehearse(invocation: Invocation, taskcfg: Taskcfg, guards: Guards) -> None:
    report = taskcfg.plan()
    if not invocation.as_json:
        print_warnings(report.warnings)
        print_plan(report.lines())
    taskcfg.check_safe(report.plan, **guards._asdict())
    if invocation.as_json:
        print_json({**report.document(), "applied": False, "revision": None})


def _ask(invocation: Invocation, taskcfg: Taskcfg, report: PlanReport, guards: Guards) -> None:
    """Show the plan; return only when a person says yes to it. Raises UnsafePlan, ApprovalNeeded."""
    from taskcfg.errors import ApprovalNeeded

    at_terminal = sys.stdin is not None and sys.stdin.isatty()
    if at_terminal or not invocation.as_json:
        print_warnings(report.warnings)
        print_plan(report.lines(), err=invocation.as_json)
    taskcfg.check_safe(report.plan, **guards._asdict())
    if not at_terminal:
        raise ApprovalNeeded(
            "there are changes to apply, and no terminal to ask at",
            hint="to approve them beforehand, say `--yes`",
        )
    sys.stdout.flush()
    if not click.confirm("\nApply these changes?", err=True):
        click.echo("Nothing was applied.", err=True)
        if invocation.as_json:
            print_json({**report.document(), "applied": False, "revision": None})
        raise click.exceptions.Exit(ExitCode.ERROR)
