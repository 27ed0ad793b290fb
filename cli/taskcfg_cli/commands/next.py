"""`taskcfg next`: the coming fires."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from functools import cache
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import click

from taskcfg_cli import options
from taskcfg_cli.context import Invocation
from taskcfg_cli.exit_codes import ExitCode
from taskcfg_cli.render.json import print_json
from taskcfg_cli.wanted import Wanted, wanted_tasks

if TYPE_CHECKING:
    from taskcfg.control.coming import Coming, ComingFire
    from taskcfg.spec.selection import Selection

T = TypeVar("T")

DEFAULT_COUNT = 10
BLOCK = 1000
"""Lines that are written at once: ten thousand tasks have a hundred thousand."""


@click.command("next")
@options.selectors()
@options.span("now")
@click.option(
    "--count",
    type=click.IntRange(1),
    metavar="N",
    help="At most so many fires of each task (default: 10, or with --to all before it).",
)
@options.task_files
@options.output("text", "json", "ics")
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
) -> ExitCode:
    """Show the coming fires.

    Those of all live tasks, or of those asked for, in order of fire time. NAME may be a glob such
    as 'billing.*'.
    """
    wanted = wanted_tasks(invocation, files, selection)
    from taskcfg.clock import SystemClock
    from taskcfg.control.coming import coming_fires

    now = SystemClock().now()
    if count is None and end is None:
        count = DEFAULT_COUNT
    begun = wanted.begun if start is None else None
    coming = coming_fires(wanted.specs.values(), start or now, end, count, wanted.pauses, begun)
    if invocation.as_json:
        print_json(coming.document())
    elif invocation.format == "ics":
        _print_calendar(coming, wanted, now)
    elif coming.fires:
        _print(coming, now)
    for line in wanted.remarks(selection, {fire.task for fire in coming.fires}):
        click.echo(line, err=True)
    return ExitCode.ERROR if wanted.unreadable else ExitCode.DONE


def _print_calendar(coming: Coming, wanted: Wanted, now: datetime) -> None:
    from taskcfg.control.icalendar import calendar_lines

    for block in _blocks(calendar_lines(coming, wanted.specs, now)):
        click.echo(b"".join(block), nl=False)


def _print(coming: Coming, now: datetime) -> None:
    from taskcfg_cli.render.table import table
    from taskcfg_cli.render.times import local_words, relative

    local, far = cache(local_words), cache(relative)
    zones = {fire.zone for fire in coming.fires}
    headings = ["FIRE", "", *(["ZONE"] if len(zones) > 1 else []), "TASK"]
    rows = []
    for fire in coming.fires:
        notes = _notes(fire, now)
        task = f"{fire.task} {notes}" if notes else fire.task
        zone = [fire.zone] if len(zones) > 1 else []
        rows.append([local(fire.fire_at, fire.zone, now), far(fire.fire_at, now), *zone, task])
    for block in _blocks(table(headings, rows)):
        click.echo("\n".join(block))


def _notes(fire: ComingFire, now: datetime) -> str:
    """Return what is to be said of one fire, in brackets."""
    if fire.fire_at == fire.nominal_at and not fire.paused:
        return f"({fire.note})" if fire.note else ""
    from taskcfg_cli.render.times import local_words

    notes = [fire.note] if fire.note else []
    if fire.fire_at != fire.nominal_at:
        notes.append(f"nominal {local_words(fire.nominal_at, fire.zone, now)}")
    if fire.paused:
        notes.append("paused")
    return f"({'; '.join(notes)})"


def _blocks(lines: Iterable[T]) -> Iterator[list[T]]:
    rest = iter(lines)
    while block := list(islice(rest, BLOCK)):
        yield block
