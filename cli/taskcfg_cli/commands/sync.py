"""`taskcfg sync`: what is followed is fetched and applied now."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import click

from taskcfg_cli import options
from taskcfg_cli.context import Invocation
from taskcfg_cli.exit_codes import ExitCode, exit_code_of
from taskcfg_cli.guard_flags import guards
from taskcfg_cli.render.json import print_json
from taskcfg_cli.render.progress import progress

if TYPE_CHECKING:
    from taskcfg.reconcile.guard import Limits


@click.command("sync")
@click.option(
    "--timeout",
    type=options.DurationValue(),
    default="5m",
    show_default=True,
    metavar="DURATION",
    help="How long to wait for a scheduler that is at it.",
)
@guards
@options.output()
@options.settings("git_url", "git_ref", "git_path", "database_url", "source")
@options.general
@click.pass_obj
def command(invocation: Invocation, timeout: timedelta, limits: Limits) -> int:
    """Fetch and apply now what the schedulers follow.

    A scheduler that follows the source does it, and this waits and tells. Where none does, it is done here,
    from the repository of --git; so it is with a flag that says yes to what a guard refuses.
    """
    from taskcfg.reconcile.guard import Limits as Said

    with invocation.taskcfg() as taskcfg, progress("Syncing", quiet=invocation.as_json):
        said = None if limits == Said() else limits
        outcome = taskcfg.sync(limits=said, timeout=timeout.total_seconds())
    if invocation.as_json:
        print_json(outcome)
    else:
        _print(outcome)
    error = outcome["error"]
    return ExitCode.DONE if error is None else exit_code_of(error["code"])


def _print(outcome: dict[str, Any]) -> None:
    from taskcfg_cli.render.table import one_line

    if outcome["commit"] is not None:
        about = f"{outcome['subject']}, by {outcome['author']}"
        click.echo(f"commit {outcome['commit'][:12]} ({one_line(about)})")
    if outcome["error"] is not None:
        _print_error(outcome)
        return
    if outcome["drifted"]:
        click.echo(f"changed in the database by hand: {one_line(', '.join(outcome['drifted']))}")
    if outcome["revision"] is not None:
        click.echo(f"revision {outcome['revision']}")
    click.echo(outcome["result"])


def _print_error(outcome: dict[str, Any]) -> None:
    from taskcfg_cli.render.table import printable

    error = outcome["error"]
    if error["code"] == "invalid_task_files":
        for problem in outcome["problems"]:
            click.echo(printable(problem), err=True)
    click.echo(f"{click.style('error: ', fg='red')}{printable(error['message'])}", err=True)
    click.echo(f"    {printable(error['hint'] or 'nothing was applied')}", err=True)
