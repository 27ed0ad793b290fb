"""`taskcfg scheduler`: the firing process."""

from __future__ import annotations

import click

from taskcfg_cli import options
from taskcfg_cli.context import Invocation


@click.command("scheduler")
@click.option("--watch", is_flag=True, help="Follow the task files too, applying every change.")
@click.option("--once", is_flag=True, help="Fire what is due, publish it, and exit.")
@options.settings("tasks_dir", "database_url", "broker_url", "source")
@options.general
@click.pass_obj
def command(invocation: Invocation, watch: bool, once: bool) -> int:
    """Run the firing process.

    Any number may run on one PostgreSQL database; they share the work. Runs until ^C or SIGTERM.
    """
    settings = invocation.settings(talkative=True)
    from taskcfg.daemon.service import run_scheduler

    return run_scheduler(settings, watch=watch, once=once)
