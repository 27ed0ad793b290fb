"""`taskcfg status`: how everything stands."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import TYPE_CHECKING

import click

from taskcfg_cli import options
from taskcfg_cli.context import Invocation
from taskcfg_cli.render.json import print_json

if TYPE_CHECKING:
    from taskcfg.control.status import Status
    from taskcfg.store.nodes import NodeRow
    from taskcfg.store.revisions import SourceRow


@click.command("status")
@options.output()
@options.settings("database_url", "broker_url")
@options.general
@click.pass_obj
def command(invocation: Invocation) -> None:
    """Show source, schedulers, workers, and what needs attention.

    Exits 0 whatever it finds; `taskcfg doctor` judges.
    """
    with invocation.taskcfg() as taskcfg:
        status = taskcfg.status()
    if invocation.as_json:
        print_json(status.document())
        return
    from taskcfg.clock import SystemClock
    from taskcfg_cli.render.table import pairs

    for line in pairs(_facts(status, SystemClock().now())):
        click.echo(line)
    _print_attention(status)


def _facts(status: Status, now: datetime) -> Iterator[tuple[str, str | None]]:
    from taskcfg_cli.render.times import span

    yield "database", status.database
    yield "broker", status.broker
    yield "environment", status.environment
    for source in status.sources:
        yield f"source {source.name}", _source(source, now)
    if not status.sources:
        yield "source", "nothing was applied yet"
    yield "schedulers", _alive(status.schedulers)
    yield "workers", _alive(status.workers)
    states = [f"{number} {state}" for state, number in status.standing.by_state.items() if number]
    yield "tasks", ", ".join(states) or "none"
    oldest = status.standing.oldest_age
    waited = f", the oldest for {span(oldest)}" if oldest is not None else ""
    yield "outbox", f"{status.standing.pending} pending{waited}"


def _source(source: SourceRow, now: datetime) -> str:
    from taskcfg_cli.render.times import relative

    parts = ["nothing applied" if source.revision is None else f"revision {source.revision}"]
    if source.applied_at is not None:
        parts.append(f"applied {relative(source.applied_at, now)}")
    if source.commit is not None:
        parts.append(f"commit {source.commit[:12]}{' and uncommitted changes' if source.dirty else ''}")
    if source.in_sync is not None:
        parts.append("in sync" if source.in_sync else "NOT in sync")
    return ", ".join(parts)


def _alive(nodes: Sequence[NodeRow]) -> str:
    alive = [node.name for node in nodes if node.alive]
    return f"{len(alive)} alive: {', '.join(alive)}" if alive else "none alive"


def _print_attention(status: Status) -> None:
    from taskcfg_cli.render.table import printable, shortened, table

    for source in status.sources:
        for problem in source.problems:
            click.echo(f"\n{printable(problem)}")
    if status.attention:
        click.echo()
        for line in table(
            ["NEEDS ATTENTION", "WHY"], [[each.task, shortened(each.reason)] for each in status.attention]
        ):
            click.echo(line)
