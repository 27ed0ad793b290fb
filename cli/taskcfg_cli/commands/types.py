"""`taskcfg types`: what tasks can be here."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import click

from taskcfg_cli import completion, options
from taskcfg_cli.context import Invocation
from taskcfg_cli.render.json import print_json
from taskcfg_cli.render.table import pairs, printable, table

if TYPE_CHECKING:
    from taskcfg.control.known_types import KnownType, Param


@click.command("types")
@click.argument("name", required=False, shell_complete=completion.type_names)
@options.output()
@options.general
@click.pass_obj
def command(invocation: Invocation, name: str | None) -> None:
    """List the task types, or describe one with its params.

    Those that ship, those of the setting `types`, and those of installed packages.
    """
    settings = invocation.settings()
    from taskcfg.control.known_types import known_types

    known = known_types(settings, name)
    if invocation.as_json:
        print_json({"types": [each.document() for each in known]})
    elif name:
        _describe(known[0])
    else:
        rows = [[each.name, each.module, each.celery_task, each.summary] for each in known]
        for line in table(["NAME", "MODULE", "CELERY TASK", "SUMMARY"], rows):
            click.echo(printable(line))


def _describe(known: KnownType) -> None:
    click.echo(printable(f"{known.name}: {known.summary}" if known.summary else known.name))
    click.echo("")
    facts = [("module", known.module), ("Celery task", known.celery_task)]
    for line in pairs(
        [*facts, *((f"default {name}", _text(value)) for name, value in known.defaults.items())]
    ):
        click.echo(printable(line))
    click.echo("")
    if known.params:
        for line in table(["PARAM", "TYPE", "DEFAULT", "DESCRIPTION"], map(_row, known.params)):
            click.echo(printable(line))
    else:
        click.echo("It takes no params.")
    if known.example is not None:
        click.echo("\nFor example:\n")
        click.echo(printable(known.example), nl=False)


def _row(param: Param) -> list[str | None]:
    default = "required" if param.required else None if param.default is None else _text(param.default)
    return [param.name, param.kind, default, param.description]


def _text(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
