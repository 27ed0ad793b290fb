"""`taskcfg run`: tasks, now."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import click

from taskcfg_cli import options
from taskcfg_cli.context import Invocation
from taskcfg_cli.render.requested import show_requested

if TYPE_CHECKING:
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
@options.waiting
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
    with invocation.taskcfg() as taskcfg:
        return show_requested(invocation, taskcfg, taskcfg.run(selection, params), wait=wait, timeout=timeout)
