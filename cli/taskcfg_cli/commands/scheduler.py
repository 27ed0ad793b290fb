"""`taskcfg scheduler`: the firing process."""

from __future__ import annotations

import click

from taskcfg_cli import options
from taskcfg_cli.context import Invocation


@click.command("scheduler")
@click.option("--watch", is_flag=True, help="Follow the task files here too, applying every change.")
@options.settings("git_url", "git_ref", "git_path")
@click.option("--once", is_flag=True, help="Fire what is due, publish it, and exit.")
@options.settings("tasks_dir", "database_url", "broker_url", "source", "metrics_port")
@options.general
@click.pass_obj
def command(invocation: Invocation, watch: bool, once: bool) -> int:
    """Run the firing process.

    Any number may run on one PostgreSQL database; they share the work. Runs until ^C or SIGTERM.
    """
    settings = invocation.settings(talkative=True)
    if watch and settings.git_url is not None:
        raise click.UsageError(
            "--watch follows the files here, and `git_url` is set, which follows a repository: choose one."
        )
    from taskcfg.daemon.service import run_scheduler

    return run_scheduler(settings, watch=watch, once=once)
