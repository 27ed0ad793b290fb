"""A plan on a terminal."""

from __future__ import annotations

from collections.abc import Sequence

import click

from taskcfg.problems import Problem
from taskcfg_cli.render.table import printable

COLORS = {"  + ": "green", "  ~ ": "yellow", "  - ": "red"}


BLOCK = 1000
"""Lines that are written at once: a plan of ten thousand tasks has a hundred thousand."""

MOST_WARNINGS = 10
"""So many are shown beside a plan, which is what was asked for."""


def print_plan(lines: Sequence[str], *, err: bool = False) -> None:
    """Print the lines of a plan on stdout, or stderr, coloured by what happens to the task."""
    for start in range(0, len(lines), BLOCK):
        click.echo("\n".join(map(_shown, lines[start : start + BLOCK])), err=err)


def _shown(line: str) -> str:
    color = COLORS.get(line[:4])
    return click.style(printable(line), fg=color) if color else printable(line)


def print_warnings(warnings: Sequence[Problem]) -> None:
    """Print the first few of what the task files are warned of on stderr, and how many more there are."""
    shown = warnings if len(warnings) <= MOST_WARNINGS else warnings[: MOST_WARNINGS - 1]
    lines = [printable(warning.text()) for warning in shown]
    if len(shown) < len(warnings):
        lines.append(f"{len(warnings) - len(shown):,} more warnings: `taskcfg validate` shows them all")
    for line in lines:
        click.secho(line, fg="yellow", err=True)
