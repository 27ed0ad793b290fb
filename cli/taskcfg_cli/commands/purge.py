"""`taskcfg purge`: old history."""

from __future__ import annotations

import sys
from datetime import timedelta
from typing import TYPE_CHECKING

import click

from taskcfg_cli import options
from taskcfg_cli.context import Invocation
from taskcfg_cli.exit_codes import ExitCode
from taskcfg_cli.render.json import print_json

if TYPE_CHECKING:
    from taskcfg.control import Taskcfg
    from taskcfg.control.purging import Purge
    from taskcfg.spec.selection import Selection
    from taskcfg.store.purging import Purged

STATES = ("done", "skipped", "missed", "expired", "dead", "cancelled")


@click.command("purge")
@options.selectors(states=False)
@click.option(
    "--older-than",
    "age",
    type=options.DurationValue(),
    metavar="DURATION",
    help="Fires that ended longer ago than this.",
)
@click.option(
    "--keep", type=click.IntRange(0), metavar="N", help="Keep the newest N fires of each task, however old."
)
@click.option(
    "--state", "states", type=click.Choice(STATES), multiple=True, help="Only these; may be given again."
)
@click.option("--batch-size", type=click.IntRange(1, 100_000), default=1000, show_default=True, metavar="N")
@click.option("--dry-run", is_flag=True, help="Count, and delete nothing.")
@click.option("-y", "--yes", "approved", is_flag=True, help="Do not ask.")
@options.output()
@options.settings("database_url")
@options.general
@click.pass_obj
def command(
    invocation: Invocation,
    selection: Selection,
    age: timedelta | None,
    keep: int | None,
    states: tuple[str, ...],
    batch_size: int,
    dry_run: bool,
    approved: bool,
) -> None:
    """Delete old history: fires that ended, and their executions.

    By age, by count, or both: then what is both old and not among the newest. Live fires stay.
    Deletes a batch at a time, so that firing goes on.
    """
    if age is None and keep is None:
        raise click.UsageError("Say what is old: --older-than 30d, or --keep 100, or both.")
    with invocation.taskcfg() as taskcfg:
        from taskcfg.control.purging import Purge, purge_document

        purge = Purge(selection, age, keep, states or None, batch_size)
        if dry_run:
            purged = taskcfg.count_old(purge)
        else:
            purged = _carry_out(invocation, taskcfg, purge, approved=approved)
    if invocation.as_json:
        print_json(purge_document(purged, dry_run=dry_run))
    else:
        click.echo(f"{_words(purged)} {'would be ' if dry_run else ''}deleted")


def _carry_out(invocation: Invocation, taskcfg: Taskcfg, purge: Purge, *, approved: bool) -> Purged:
    from taskcfg.store.purging import Purged

    if not approved:
        expected = taskcfg.count_old(purge)
        if expected != Purged():
            _ask(expected)
    total = Purged()
    for deleted in taskcfg.purge(purge):
        total += deleted
    return total


def _ask(expected: Purged) -> None:
    """Return only when a person says yes. Raises ApprovalNeeded where there is none to ask."""
    if sys.stdin is None or not sys.stdin.isatty():
        from taskcfg.errors import ApprovalNeeded

        raise ApprovalNeeded(
            f"{_words(expected)} would be deleted, and there is no terminal to ask at",
            hint="to approve it beforehand, say `--yes`",
        )
    if not click.confirm(f"Delete {_words(expected)}?", err=True):
        click.echo("Nothing was deleted.", err=True)
        raise click.exceptions.Exit(ExitCode.ERROR)


def _words(purged: Purged) -> str:
    from taskcfg.errors import count

    return f"{count(purged.events, 'fire')} and {count(purged.executions, 'execution')}"
