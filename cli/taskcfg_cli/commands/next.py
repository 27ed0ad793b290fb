"""`taskcfg next`: the coming fires."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import click

from taskcfg_cli import options
from taskcfg_cli.context import Invocation
from taskcfg_cli.render.json import print_json

if TYPE_CHECKING:
    from taskcfg.control.coming import Coming
    from taskcfg.spec.selection import Selection
    from taskcfg.spec.task import TaskSpec

DEFAULT_COUNT = 10


@click.command("next")
@options.selectors()
@click.option(
    "--from", "start", type=options.InstantValue(sign=1), metavar="INSTANT", help="Inclusive (default: now)."
)
@click.option("--to", "end", type=options.InstantValue(sign=1), metavar="INSTANT", help="Exclusive.")
@click.option(
    "--count",
    type=click.IntRange(1),
    metavar="N",
    help="At most so many fires of each task (default: 10, or with --to all before it).",
)
@click.option(
    "-f",
    "files",
    multiple=True,
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="The tasks of this file, without a database.",
)
@options.output()
@options.settings("database_url")
@options.general
@click.pass_obj
def command(
    invocation: Invocation,
    selection: Selection,
    start: datetime | None,
    end: datetime | None,
    count: int | None,
    files: tuple[Path, ...],
) -> None:
    """Show the coming fires.

    Those of all live tasks, or of those asked for, in order of fire time. NAME may be a glob such
    as 'billing.*'.
    """
    wanted = _specs(invocation, files, selection)
    from taskcfg.clock import SystemClock
    from taskcfg.control.coming import coming_fires

    now = SystemClock().now()
    if count is None and end is None:
        count = DEFAULT_COUNT
    coming = coming_fires(wanted.values(), start or now, end, count)
    if invocation.as_json:
        print_json(coming.document())
    elif coming.fires:
        _print(coming, now)
    for line in _silent(wanted, coming, selection):
        click.echo(line, err=True)


def _specs(invocation: Invocation, files: tuple[Path, ...], selection: Selection) -> dict[str, TaskSpec]:
    if not files:
        with invocation.taskcfg() as taskcfg:
            return taskcfg.specs(selection)
    if selection.states:
        raise click.UsageError("--state is about the database's tasks and does not go with -f")
    settings = invocation.settings()
    from taskcfg.control.names import chosen
    from taskcfg.control.offline import read_specs

    return chosen(read_specs(settings, files), selection)


def _print(coming: Coming, now: datetime) -> None:
    from taskcfg_cli.render.table import table
    from taskcfg_cli.render.times import local_words, relative

    offsets: dict[str, timedelta | None] = {}
    rows = []
    for fire in coming.fires:
        offset = fire.local.utcoffset()
        moved = offsets.get(fire.task, offset) != offset
        offsets[fire.task] = offset
        note = "(the clock has changed)" if moved else ""
        rows.append(
            [local_words(fire.fire_at, fire.zone, now), relative(fire.fire_at, now), f"{fire.task} {note}"]
        )
    for line in table(["FIRE", "", "TASK"], rows):
        click.echo(line)


def _silent(wanted: dict[str, TaskSpec], coming: Coming, selection: Selection) -> Iterator[str]:
    """Say why there is no fire: of a task that was named, or at all."""
    firing = {fire.task for fire in coming.fires}
    if not wanted and not selection.is_empty:
        yield "No task matches."
    elif not wanted:
        yield "No task is live: `taskcfg apply` makes those of the task files so."
    elif not firing:
        yield "Nothing fires in that time."
    for name, spec in wanted.items():
        if name in selection.names and not spec.enabled:
            yield f"{name} is not enabled: it fires only when it is run."
