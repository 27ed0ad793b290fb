"""`taskcfg worker`: a Celery worker with the task types loaded."""

from __future__ import annotations

import click

from taskcfg_cli import options
from taskcfg_cli.context import Invocation


@click.command("worker")
@click.option("--concurrency", type=click.IntRange(1, 1000), metavar="N", help="How many tasks run at once.")
@click.option("--queues", metavar="NAME[,NAME…]", help="The Celery queues to serve.")
@options.settings("database_url", "broker_url")
@options.general
@click.pass_obj
def command(invocation: Invocation, concurrency: int | None, queues: str | None) -> int:
    """Run a Celery worker with the task types loaded.

    Runs until ^C or SIGTERM, finishing the tasks it has begun.
    """
    settings = invocation.settings(talkative=True)
    from taskcfg.celery import run_worker

    wanted = tuple(name.strip() for name in queues.split(",") if name.strip()) if queues else None
    return run_worker(settings, queues=wanted, concurrency=concurrency)
