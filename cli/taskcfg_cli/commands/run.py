"""`taskcfg run`: tasks, now."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import click

from taskcfg_cli import options
from taskcfg_cli.context import Invocation
from taskcfg_cli.exit_codes import ExitCode
from taskcfg_cli.render.json import print_json

if TYPE_CHECKING:
    from taskcfg.control import Taskcfg
    from taskcfg.control.running import Requested
    from taskcfg.spec.selection import Selection


class Params(click.ParamType[dict[str, Any]]):
    """A JSON object."""

    name = "json"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> dict[str, Any]:
        try:
            params = json.loads(value)
        except RecursionError:
            self.fail("not JSON that anybody can read: it is nested too deep", param, ctx)
        except ValueError as error:
            self.fail(f"not JSON: {error}", param, ctx)
        if not isinstance(params, dict):
            self.fail('not a JSON object such as \'{"older_than": "7d"}\'', param, ctx)
        return params


@click.command("run")
@options.selectors(required=True)
@click.option(
    "--params", type=Params(), metavar="JSON", help="Laid over the task's own params, then validated."
)
@click.option("--wait", is_flag=True, help="Wait until all have ended; exit 1 unless all succeeded.")
@click.option(
    "--timeout", type=options.DurationValue(), metavar="DURATION", help="Wait no longer; then exit 1."
)
@options.output()
@options.settings("database_url")
@options.general
@click.pass_obj
def command(
    invocation: Invocation,
    selection: Selection,
    params: dict[str, Any] | None,
    wait: bool,
    timeout: timedelta | None,
) -> int:
    """Run tasks now.

    Records one fire for each, or none when one of them cannot run, and prints their ids. A
    scheduler publishes them, a worker runs them. NAME may be a glob such as 'billing.*'.
    """
    if timeout is not None and not wait:
        raise click.UsageError("--timeout says how long to --wait")
    with invocation.taskcfg() as taskcfg:
        requested = taskcfg.run(selection, params)
        if not invocation.as_json:
            _print_ids(requested)
        for line in missing_processes(taskcfg):
            click.echo(line, err=True)
        if wait:
            requested = taskcfg.wait(requested, timeout.total_seconds() if timeout else None)
    if invocation.as_json:
        print_json({"fires": [each.document() for each in requested]})
    elif wait:
        for each in requested:
            click.echo(outcome(each))
    return ExitCode.ERROR if wait and not all(each.succeeded for each in requested) else ExitCode.DONE


def _print_ids(requested: Sequence[Requested]) -> None:
    for each in requested:
        click.echo(f"{each.fire.id}" if len(requested) == 1 else f"{each.fire.id}  {each.fire.task}")
    sys.stdout.flush()


def missing_processes(taskcfg: Taskcfg) -> list[str]:
    """Say which process the fires wait for, where one is missing."""
    status = taskcfg.status()
    lines = []
    if not any(node.alive for node in status.schedulers):
        lines.append("No scheduler is alive: the fire waits in the outbox for one (`taskcfg scheduler`).")
    if not any(node.alive for node in status.workers):
        lines.append("No worker of taskcfg is alive: the fire waits for one (`taskcfg worker`).")
    return lines


def outcome(each: Requested) -> str:
    """Return one line: the task, how it ended, how long it took, and why it failed."""
    from taskcfg_cli.render.table import one_line
    from taskcfg_cli.render.times import span

    execution = each.execution
    took = f" in {span(execution.duration)}" if execution and execution.duration is not None else ""
    why = (execution.error if execution else None) or each.fire.reason
    return f"{each.fire.task} {each.outcome}{took}" + (
        f": {one_line(why)}" if why and not each.succeeded else ""
    )
