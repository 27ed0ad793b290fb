"""`taskcfg schema`: what editors know of task files."""

from __future__ import annotations

import click

from taskcfg_cli import options
from taskcfg_cli.context import Invocation
from taskcfg_cli.render.json import print_json
from taskcfg_cli.render.table import printable


@click.command("schema")
@click.option("--write", is_flag=True, help="Write it to .taskcfg/schema.json, where editors look for it.")
@options.output()
@options.general
@click.pass_obj
def command(invocation: Invocation, write: bool) -> None:
    """Print the JSON Schema of task files, with your own types in it."""
    settings = invocation.settings()
    from taskcfg.control.editor import editor_schema, write_schema

    if not write:
        print_json(editor_schema(settings))
        return
    file = write_schema(settings)
    if invocation.as_json:
        print_json({"file": str(file)})
    else:
        click.echo(printable(f"written  {file}"))
