"""A plan on a terminal."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import click

from taskcfg.problems import Problem
from taskcfg_cli.render.table import printable

COLORS = {"  + ": "green", "  ~ ": "yellow", "  - ": "red"}


def print_plan(lines: Sequence[str], *, err: bool = False) -> None:
    """Print the lines of a plan on stdout, or stderr, coloured by what happens to the task."""
    for line in lines:
        click.secho(printable(line), fg=COLORS.get(line[:4]), err=err)


def print_warnings(warnings: Iterable[Problem]) -> None:
    """Print what the task files are warned of on stderr."""
    for warning in warnings:
        click.secho(printable(warning.text()), fg="yellow", err=True)
