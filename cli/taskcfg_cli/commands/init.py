"""`taskcfg init`: a project to start from."""

from __future__ import annotations

from pathlib import Path

import click

from taskcfg_cli import options
from taskcfg_cli.context import Invocation
from taskcfg_cli.render.json import print_json
from taskcfg_cli.render.table import printable

SETTINGS = """\
# Settings of this project. Variables TASKCFG_* and flags of the command go before this file;
# `taskcfg doctor` tells whether they work.

# The name under which these files own their tasks in the database.
source = "main"
tasks_dir = "tasks.d"

# Without these, everything is kept under .taskcfg/: enough for one machine.
# database_url = "postgresql://user@localhost/taskcfg"
# broker_url = "amqp://guest:guest@localhost:5672//"

# Modules with task types of your own, found from this folder.
# types = ["myapp.tasks"]
"""

TASKS = """\
# yaml-language-server: $schema=../.taskcfg/schema.json
# Each entry under `tasks` is a task; its name is how it is known for ever after.
tasks:
  purge-history:
    type: cleanup                     # what it does; this type ships with taskcfg
    schedule:
      every: 1m                       # to see it run; later rather `cron: "30 3 * * *"`
    params:                           # the type's own fields
      target: execution_history
      older_than: 30d
    description: Remove execution history older than a month
    timeout: 1m
"""

SCHEMA = ".taskcfg/schema.json"
IGNORED = ".taskcfg/\n"


@click.command("init")
@click.argument("folder", metavar="[DIR]", default=".", type=click.Path(path_type=Path, file_okay=False))
@options.output()
@options.general
@click.pass_obj
def command(invocation: Invocation, folder: Path) -> None:
    """Write taskcfg.toml and tasks.d/ with a first task, and the schema for editors.

    Never overwrites: what you wrote stays as it is.
    """
    created, kept = write_project(folder)
    _write_schema(folder, created, kept)
    if invocation.as_json:
        print_json({"created": created, "kept": kept})
        return
    for path in created:
        click.echo(printable(f"created  {folder / path}"))
    for path in kept:
        click.echo(printable(f"kept     {folder / path}"))
    click.echo("\nNext:")
    if folder != Path():
        click.echo(printable(f"  cd {folder}"))
    click.echo("  taskcfg validate   check the task files")
    click.echo("  taskcfg up         schedule and run them on this machine, until ^C")


def write_project(folder: Path) -> tuple[list[str], list[str]]:
    """Write what is missing; return the paths written and the paths left alone. Raises OSError."""
    wanted = {"taskcfg.toml": SETTINGS, "tasks.d/cleanup.yaml": TASKS, ".gitignore": IGNORED}
    created, kept = [], []
    for path, text in wanted.items():
        top = folder / Path(path).parts[0]
        if top.exists():
            kept.append(top.name)
            continue
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        _write(folder / path, text)
        created.append(path)
    return created, kept


def _write_schema(folder: Path, created: list[str], kept: list[str]) -> None:
    """Write the schema that the modeline names; where settings or types do not work, `doctor` tells."""
    from taskcfg.control.editor import refresh_schema
    from taskcfg.errors import TaskcfgError
    from taskcfg.settings import load_settings
    from taskcfg.types.registry import types_of

    there = (folder / SCHEMA).exists()
    try:
        settings = load_settings({}, folder=folder)
        refresh_schema(settings, types_of(settings))
    except TaskcfgError:
        return
    if there:
        kept.append(SCHEMA)
    elif (folder / SCHEMA).exists():
        created.append(SCHEMA)


def _write(file: Path, text: str) -> None:
    """Write a new *file*: whole, or not at all. Raises OSError, naming it."""
    with file.open("xb", buffering=0) as stream:
        try:
            stream.write(text.encode())
        except OSError as error:
            file.unlink()
            raise OSError(error.errno, error.strerror, str(file)) from error
