"""`taskcfg cancel`: fires that are not to run, or not to go on."""

from __future__ import annotations

import click

from taskcfg_cli import options
from taskcfg_cli.context import Invocation
from taskcfg_cli.render.json import print_json


@click.command("cancel")
@click.argument("fires", nargs=-1, required=True, metavar="FIRE...")
@options.output()
@options.settings("database_url")
@options.general
@click.pass_obj
def command(invocation: Invocation, fires: tuple[str, ...]) -> None:
    """Cancel fires: all of these, or none.

    FIRE is an id, or enough of its start. What has not started never will; what runs is
    interrupted on its worker, as by its timeout, and is not retried.
    """
    with invocation.taskcfg() as taskcfg:
        cancelled = taskcfg.cancel(fires)
    if invocation.as_json:
        from taskcfg.control.documents import fire_document

        print_json({"fires": [fire_document(fire) for fire in cancelled]})
        return
    for fire in cancelled:
        how = "cancelled" if fire.state == "cancelled" else "is running: its worker is asked to stop it"
        click.echo(f"{fire.id}  {fire.task} {how}")
