"""`taskcfg db`: the database's schema."""

from __future__ import annotations

import click

from taskcfg_cli import options
from taskcfg_cli.context import Invocation
from taskcfg_cli.render.json import print_json
from taskcfg_cli.render.progress import progress


@click.group("db")
@options.general
def command() -> None:
    """Upgrade or check the database's schema."""


@command.command("upgrade")
@options.output()
@options.settings("database_url")
@options.general
@click.pass_obj
def upgrade(invocation: Invocation) -> None:
    """Bring the schema up to date, making the tables where there are none."""
    with invocation.taskcfg() as taskcfg:
        before = taskcfg.schema_version()
        with progress("Upgrading the schema", quiet=invocation.as_json):
            taskcfg.upgrade_schema()
        version = taskcfg.schema_version()
    if invocation.as_json:
        print_json({"before": before, "version": version})
    elif before == version:
        click.echo(f"schema {version}: up to date")
    else:
        click.echo(f"schema {version}: upgraded from {before or 'nothing'}")


@command.command("current")
@options.output()
@options.settings("database_url")
@options.general
@click.pass_obj
def current(invocation: Invocation) -> None:
    """Show which schema the database has."""
    with invocation.taskcfg() as taskcfg:
        version = taskcfg.schema_version()
    if invocation.as_json:
        print_json({"version": version})
    else:
        click.echo(version or "none")


@command.command("check")
@options.output()
@options.settings("database_url")
@options.general
@click.pass_obj
def check(invocation: Invocation) -> None:
    """Exit 1, saying what to do, unless the schema is this version's."""
    with invocation.taskcfg() as taskcfg:
        taskcfg.check_schema()
        version = taskcfg.schema_version()
    if invocation.as_json:
        print_json({"version": version})
    else:
        click.echo(f"schema {version}: up to date")
