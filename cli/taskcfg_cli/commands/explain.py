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
    """Show where each value of a task comes from.

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
    from taskcfg_cli.render.table import pairs, printable, table

    position = explained.spec.position
    click.echo(f"{explained.spec.name}  {position.file}:{position.line}" if position else explained.spec.name)
    click.echo("")
    rows = [list(_row(value, explained.spec.type)) for value in explained.values]
    for line in table(["FIELD", "VALUE", "FROM"], rows):
        click.echo(printable(line))
    click.echo("")
    for line in pairs([("schedule", explained.schedule), *explained.policies.items(), *_fires(explained)]):
        click.echo(printable(line))


def _row(value: Value, type_name: str) -> Iterator[str]:
    from taskcfg.reconcile.describe import value_text
    from taskcfg.source.layers import Origin

    yield value.field
    yield value_text(value.field, value.value)
    if value.said is None:
        yield f"type `{type_name}`" if value.origin is Origin.TYPE else "default"
        return
    place = f"{value.said.position.file}:{value.said.position.line}"
    yield f"{place}  {value.said.reference}" if value.said.reference else place


def _fires(explained: Explained) -> Iterator[tuple[str, str]]:
    for number, fire in enumerate(explained.fires):
        yield "next fires" if number == 0 else "", fire.local.isoformat()
    if not explained.fires:
        yield "next fires", "none" if explained.spec.enabled else "none: it is not enabled"
