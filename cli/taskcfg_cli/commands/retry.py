"""`taskcfg retry`: fires that ended, once more."""

from __future__ import annotations

from datetime import timedelta

import click

from taskcfg_cli import options
from taskcfg_cli.context import Invocation
from taskcfg_cli.render.requested import show_requested


@click.command("retry")
@click.argument("fires", nargs=-1, required=True, metavar="FIRE...")
@options.waiting
@options.output()
@options.settings("database_url")
@options.general
@click.pass_obj
def command(invocation: Invocation, fires: tuple[str, ...], wait: bool, timeout: timedelta | None) -> int:
    """Run fires again that did not succeed: all of these, or none.

    FIRE is an id, or enough of its start. Each keeps its id and nominal time, goes out with the
    params it had, and has all its attempts again.
    """
    with invocation.taskcfg() as taskcfg:
        return show_requested(invocation, taskcfg, taskcfg.retry(fires), wait=wait, timeout=timeout)
