"""`taskcfg show`: one task, whole."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

from taskcfg_cli import completion, options
from taskcfg_cli.context import Invocation
from taskcfg_cli.render.json import print_json

if TYPE_CHECKING:
    from taskcfg.store.task_list import TaskRow

SAID_ABOVE = ("type", "description", "timezone")


@click.command("show")
@click.argument("name", shell_complete=completion.task_names)
@options.output()
@options.settings("database_url")
@options.general
@click.pass_obj
def command(invocation: Invocation, name: str) -> None:
    """Show one task, whole."""
    with invocation.taskcfg() as taskcfg:
        task = taskcfg.task(name)
    if invocation.as_json:
        from taskcfg.control.documents import task_details

        print_json(task_details(task))
        return
    from taskcfg_cli.render.table import pairs

    for line in pairs([*_facts(task), *_fields(task)]):
        click.echo(line)


def _facts(task: TaskRow) -> Iterator[tuple[str, str | None]]:
    from taskcfg.clock import SystemClock
    from taskcfg_cli.render.tasks import last_text, next_text, rule_text, zone_of
    from taskcfg_cli.render.times import local_words

    now = SystemClock().now()
    yield "name", task.name
    yield "description", task.spec.description if task.spec else None
    yield "type", task.type
    yield "state", task.state
    yield "error", task.error
    if task.pause is not None:
        until = f" until {local_words(task.pause.until, zone_of(task), now)}" if task.pause.until else ""
        yield "paused", f"by {task.pause.by}{until}: {task.pause.reason}"
    yield "schedule", rule_text(task)
    yield "next fire", next_text(task, now) or "none"
    yield "last fire", last_text(task, now) or "none yet"
    yield "source", task.source
    yield "declared at", f"{task.file}:{task.line}" if task.file else None
    yield "commit", task.commit
    yield "version", str(task.version)


def _fields(task: TaskRow) -> Iterator[tuple[str, str | None]]:
    from taskcfg.reconcile.describe import value_text
    from taskcfg.reconcile.plan import flattened

    if task.spec is None:
        return
    for path, value in flattened(task.spec.document()).items():
        if path not in SAID_ABOVE and value not in (None, {}):
            yield path, value_text(path, value)
