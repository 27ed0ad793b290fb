"""`taskcfg explain`: one task as its files resolve it, and who says what."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from taskcfg_cli import options
from taskcfg_cli.context import Invocation
from taskcfg_cli.render.json import print_json

if TYPE_CHECKING:
    from taskcfg.control.explain import Explained, Value


@click.command("explain")
@click.argument("name")
@click.option(
    "-f",
    "files",
    multiple=True,
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="Look in this file, not in the tasks folder.",
)
@options.output()
@options.settings("tasks_dir")
@options.general
@click.pass_obj
def command(invocation: Invocation, name: str, files: tuple[Path, ...]) -> None:
    """Show where each value of a task comes from, and what it means.

    Reads the task files, and no database: `taskcfg show` shows the live task.
    """
    settings = invocation.settings()
    from taskcfg.clock import SystemClock
    from taskcfg.control.explain import explain

    explained = explain(settings, name, SystemClock().now(), files)
    if invocation.as_json:
        print_json(explained.document())
    else:
        _print(explained)
    if explained.problems:
        from taskcfg.errors import count

        number = count(len(explained.problems), "problem")
        click.echo(f"{number} in other tasks of these files: see `taskcfg validate`", err=True)


def _print(explained: Explained) -> None:
    from taskcfg.spec.words import schedule_line
    from taskcfg_cli.render.table import pairs, printable, table

    position = explained.spec.position
    click.echo(f"{explained.spec.name}  {position.file}:{position.line}" if position else explained.spec.name)
    click.echo("")
    schedules = schedule_line(explained.spec.schedule, explained.spec.timezone)
    rows = [list(_row(value, explained.spec.type, schedules)) for value in explained.values]
    for line in table(["FIELD", "VALUE", "FROM"], rows):
        click.echo(printable(line))
    click.echo("")
    facts = [*_schedules(explained), *_clocks(explained), *explained.policies.items()]
    for line in pairs([*facts, *_fires(explained)]):
        click.echo(printable(line))
    _print_changes(explained)


def _row(value: Value, type_name: str, schedules: str) -> Iterator[str]:
    from taskcfg.reconcile.describe import value_text
    from taskcfg.source.layers import Origin

    yield value.field
    yield schedules if value.field == "schedule" else value_text(value.field, value.value)
    if value.said is None:
        yield f"type `{type_name}`" if value.origin is Origin.TYPE else "default"
        return
    place = f"{value.said.position.file}:{value.said.position.line}"
    yield f"{place}  {value.said.reference}" if value.said.reference else place


def _schedules(explained: Explained) -> Iterator[tuple[str, str]]:
    from taskcfg.spec.words import words_of_parts

    parts = words_of_parts(explained.spec.schedule, explained.spec.timezone) or (explained.schedule,)
    for number, words in enumerate(parts, start=1):
        yield "schedule" if number == 1 else "", words if number == len(parts) else f"{words};"


def _clocks(explained: Explained) -> Iterator[tuple[str, str]]:
    for number, words in enumerate(explained.clocks):
        yield "clock changes" if number == 0 else "", words


def _print_changes(explained: Explained) -> None:
    from taskcfg.spec.schedule import parts_of
    from taskcfg_cli.render.table import printable

    if not explained.clock_changes:
        return
    several = len(parts_of(explained.spec.schedule)) > 1
    zones = {day.change.zone.key for day in explained.clock_changes}
    click.echo("\nnext clock changes")
    for day in explained.clock_changes:
        where = f" in {day.change.zone.key}" if len(zones) > 1 else ""
        said = [f"{effect.schedule}: {effect.words}" if several else effect.words for effect in day.effects]
        for words in said or ["no fire is affected"]:
            click.echo(printable(f"  {day.heading}{where}: {words}"))


def _fires(explained: Explained) -> Iterator[tuple[str, str]]:
    for number, fire in enumerate(explained.fires):
        yield "next fires" if number == 0 else "", fire.local.isoformat()
    if not explained.fires:
        yield "next fires", "none" if explained.spec.enabled else "none: it is not enabled"
