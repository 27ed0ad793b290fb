"""`taskcfg up`: everything for one machine."""

from __future__ import annotations

import sys

import click

from taskcfg_cli import options
from taskcfg_cli.context import Invocation

THIS_COMMAND = (sys.executable, "-P", "-m", "taskcfg_cli")
"""How a child process is the same taskcfg, whatever lies in the folder it is run in (`-P`)."""


@click.command("up")
@options.settings("tasks_dir", "database_url", "broker_url", "source")
@options.general
@click.pass_obj
def command(invocation: Invocation) -> int:
    """Run everything on this machine: scheduler and worker.

    Brings the database's schema up to date, follows the task files, and runs until ^C.
    """
    settings = invocation.settings(talkative=True)
    from taskcfg.daemon.up import run_up

    return run_up(settings, THIS_COMMAND)
