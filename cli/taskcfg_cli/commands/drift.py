"""`taskcfg drift`: live against last applied."""

from __future__ import annotations

import click

from taskcfg_cli import options
from taskcfg_cli.context import Invocation
from taskcfg_cli.exit_codes import ExitCode
from taskcfg_cli.render.json import print_json
from taskcfg_cli.render.plan import print_plan


@click.command("drift")
@click.option("--detailed-exitcode", is_flag=True, help="Exit 2 when there is drift, 0 when there is none.")
@options.output()
@options.settings("database_url", "source")
@options.general
@click.pass_obj
def command(invocation: Invocation, detailed_exitcode: bool) -> int:
    """Show what somebody changed in the database since it was last applied.

    Field by field, as it was applied and as it is. The task files play no part in it.
    """
    with invocation.taskcfg() as taskcfg:
        report = taskcfg.drift()
    if invocation.as_json:
        print_json(report.document())
    else:
        print_plan(report.lines())
    return ExitCode.CHANGES if detailed_exitcode and report.drifted else ExitCode.DONE
