"""`taskcfg logs`: one fire, with all that its attempts left behind."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

from taskcfg_cli import options
from taskcfg_cli.context import Invocation
from taskcfg_cli.render.json import print_json

if TYPE_CHECKING:
    from taskcfg.control.fires import Attempts
    from taskcfg.store.history import ExecutionRow


@click.command("logs")
@click.argument("fire", metavar="FIRE")
@options.output()
@options.settings("database_url")
@options.general
@click.pass_obj
def command(invocation: Invocation, fire: str) -> None:
    """Show one fire and its attempts: results, errors, tracebacks.

    FIRE is an id, or enough of its start, or a task's name for the fire attempted last.
    """
    with invocation.taskcfg() as taskcfg:
        attempts = taskcfg.attempts(fire)
    if invocation.as_json:
        print_json(attempts.document())
        return
    from taskcfg_cli.render.table import printable

    for line in _lines(attempts):
        click.echo(printable(line))


def _lines(attempts: Attempts) -> Iterator[str]:
    from taskcfg_cli.render.table import pairs
    from taskcfg_cli.render.times import stamp

    fire = attempts.fire
    yield from pairs(
        [
            ("fire", str(fire.id)),
            ("task", fire.task),
            ("kind", fire.kind),
            ("asked by", fire.requested_by),
            ("nominal", stamp(fire.nominal_at)),
            ("state", fire.state),
            ("reason", fire.reason),
            ("attempts", None if attempts.executions else "none"),
        ]
    )
    for execution in attempts.executions:
        yield from _attempt_lines(execution)


def _attempt_lines(execution: ExecutionRow) -> Iterator[str]:
    from taskcfg_cli.render.table import pairs
    from taskcfg_cli.render.times import span, stamp

    took = f" in {span(execution.duration)}" if execution.duration is not None else ""
    yield f"\nattempt {execution.attempt} {execution.state}{took}"
    facts = pairs(
        [
            ("started", stamp(execution.started_at)),
            ("finished", stamp(execution.finished_at) if execution.finished_at else None),
            ("worker", execution.worker),
            ("celery id", str(execution.celery_id)),
            (
                "result",
                None if execution.result is None else json.dumps(execution.result, ensure_ascii=False),
            ),
            ("error", execution.error),
        ]
    )
    yield from (f"  {line}" for line in facts)
    yield from (f"  {line}" for line in (execution.traceback or "").splitlines())
