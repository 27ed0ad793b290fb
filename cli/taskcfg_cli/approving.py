"""What `apply` and `rollback` share: the plan is shown, somebody says yes to it, it is done and told."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import click

from taskcfg_cli import options
from taskcfg_cli.context import Invocation
from taskcfg_cli.exit_codes import ExitCode
from taskcfg_cli.render.actions import tell_actions
from taskcfg_cli.render.json import print_json
from taskcfg_cli.render.plan import print_plan, print_warnings
from taskcfg_cli.render.progress import progress
from taskcfg_cli.render.table import printable

if TYPE_CHECKING:
    from taskcfg.control import Taskcfg
    from taskcfg.control.plans import ApplyReport, PlanReport
    from taskcfg.reconcile.guard import Limits
    from taskcfg.reconcile.plan import Plan

F = TypeVar("F", bound=Callable[..., Any])


def approval(command: F) -> F:
    """Add `--yes`, `--dry-run` and `--lock-timeout`."""
    timeout = click.option(
        "--lock-timeout",
        type=options.DurationValue(),
        default="30s",
        show_default=True,
        metavar="DURATION",
        help="How long to wait for another apply.",
    )
    dry_run = click.option(
        "--dry-run", is_flag=True, help="Show the plan, check the guards, and change nothing."
    )
    yes = click.option("-y", "--yes", "--auto-approve", "approved", is_flag=True, help="Do not ask.")
    return yes(dry_run(timeout(command)))


def approved_plan(
    invocation: Invocation, taskcfg: Taskcfg, limits: Limits, past: int | None = None
) -> Plan | None:
    """Return the plan that a person said yes to; None where there is nothing to do."""
    with progress("Planning", quiet=invocation.as_json):
        report = taskcfg.plan(adopt=limits.adopt, past=past)
    if not report.plan.has_changes:
        return None
    _ask(invocation, taskcfg, report, limits)
    return report.plan


def rehearse(invocation: Invocation, taskcfg: Taskcfg, report: PlanReport, limits: Limits) -> None:
    """Show what would be done, and whether a guard refuses it. Raises UnsafePlan."""
    tell_actions(report)
    if not invocation.as_json:
        print_warnings(report.warnings)
        print_plan(report.lines())
    taskcfg.check_safe(report.plan, limits)
    if invocation.as_json:
        print_json({**report.document(), "applied": False, "revision": None})


def print_applied(invocation: Invocation, done: ApplyReport, *, seen: bool) -> None:
    """Tell what was done; where the plan was *seen* before, only its sum."""
    from taskcfg.errors import TaskcfgError

    try:
        tell_actions(done)
    except TaskcfgError as error:
        click.echo(printable(f"{error.message}; the plan was applied all the same"), err=True)
    if invocation.as_json:
        print_json(done.document())
    else:
        print_warnings(done.report.warnings)
        print_plan(done.lines()[-1:] if seen else done.lines())


def _ask(invocation: Invocation, taskcfg: Taskcfg, report: PlanReport, limits: Limits) -> None:
    """Show the plan; return only when a person says yes to it. Raises UnsafePlan, ApprovalNeeded."""
    from taskcfg.errors import ApprovalNeeded

    at_terminal = sys.stdin is not None and sys.stdin.isatty()
    if at_terminal or not invocation.as_json:
        print_warnings(report.warnings)
        print_plan(report.lines(), err=invocation.as_json)
    taskcfg.check_safe(report.plan, limits)
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
