"""`taskcfg apply`: the database comes to say what the files say."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
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
    from taskcfg.reconcile.saved_plan import SavedPlan


@click.command("apply")
@click.argument(
    "plan_file",
    required=False,
    metavar="[PLANFILE]",
    type=click.Path(path_type=Path, dir_okay=False),
)
@approval
@guards
@options.output()
@options.settings("tasks_dir", "database_url", "source")
@options.general
@click.pass_obj
def command(
    invocation: Invocation,
    plan_file: Path | None,
    approved: bool,
    dry_run: bool,
    lock_timeout: timedelta,
    limits: Limits,
) -> int:
    """Make the database match the task files.

    In one transaction: all of the plan, or none of it. Asks first, unless told not to. PLANFILE, from
    `plan --out`, is approved by being passed: exactly that is applied, or nothing.
    """
    saved = None if plan_file is None else _saved(plan_file)
    with invocation.taskcfg() as taskcfg:
        if dry_run:
            rehearse(invocation, taskcfg, taskcfg.plan(saved=saved, adopt=limits.adopt), limits)
            return ExitCode.DONE
        seen = None if approved or saved else approved_plan(invocation, taskcfg, limits)
        with progress("Applying", quiet=invocation.as_json):
            done = taskcfg.apply(
                expected=saved or seen, limits=limits, lock_timeout=lock_timeout.total_seconds()
            )
    print_applied(invocation, done, seen=seen is not None)
    return ExitCode.DONE


def _saved(file: Path) -> SavedPlan:
    from taskcfg.control.plan_files import load_plan

    return load_plan(file)
