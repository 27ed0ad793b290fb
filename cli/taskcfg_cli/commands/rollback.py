"""`taskcfg rollback`: a plan back to what an earlier revision left."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import click

from taskcfg_cli import options
from taskcfg_cli.approving import approval, approved_plan, print_applied, rehearse
from taskcfg_cli.context import Invocation
from taskcfg_cli.exit_codes import ExitCode
from taskcfg_cli.guard_flags import guards
from taskcfg_cli.render.progress import progress

if TYPE_CHECKING:
    from taskcfg.reconcile.guard import Limits


@click.command("rollback")
@click.argument("revision", type=click.IntRange(1))
@approval
@guards
@click.option(
    "--despite-sync",
    is_flag=True,
    help="Go on though a scheduler keeps the source in step with its files, and will undo this.",
)
@options.output()
@options.settings("database_url", "source")
@options.general
@click.pass_obj
def command(
    invocation: Invocation,
    revision: int,
    approved: bool,
    dry_run: bool,
    lock_timeout: timedelta,
    limits: Limits,
    despite_sync: bool,
) -> int:
    """Make the database say what it said after REVISION, for this source.

    A plan like any other: shown, asked for, guarded, applied in one transaction, and a revision of its own.
    """
    with invocation.taskcfg() as taskcfg:
        if dry_run:
            rehearse(invocation, taskcfg, taskcfg.plan(adopt=limits.adopt, past=revision), limits)
        if not despite_sync:
            taskcfg.check_rollback()
        if dry_run:
            return ExitCode.DONE
        seen = None if approved else approved_plan(invocation, taskcfg, limits, past=revision)
        with progress("Rolling back", quiet=invocation.as_json):
            done = taskcfg.apply(
                expected=seen, past=revision, limits=limits, lock_timeout=lock_timeout.total_seconds()
            )
    print_applied(invocation, done, seen=seen is not None)
    return ExitCode.DONE
