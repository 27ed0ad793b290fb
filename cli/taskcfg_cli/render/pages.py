"""What `history` and `events` share: which rows are wanted, and a page of them on a terminal."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

import click

from taskcfg_cli import options
from taskcfg_cli.render.table import table

if TYPE_CHECKING:
    from taskcfg.store.history import Page

F = TypeVar("F", bound=Callable[..., Any])
MOST = 10_000


def paged(*states: str) -> Callable[[F], F]:
    """Add the selectors, `--since`, `--state`, `--limit` and `--cursor`."""

    def decorate(command: F) -> F:
        for option in reversed(
            (
                options.selectors(states=False),
                click.option(
                    "--since",
                    type=options.InstantValue(sign=-1),
                    metavar="INSTANT",
                    help="Since then: ISO 8601, or `2h` for two hours ago.",
                ),
                click.option(
                    "--state",
                    "states",
                    type=click.Choice(states),
                    multiple=True,
                    help="Only these; may be given again.",
                ),
                click.option(
                    "--limit", type=click.IntRange(1, MOST), default=50, show_default=True, metavar="N"
                ),
                click.option("--cursor", metavar="CURSOR", help="Go on where a page ended."),
            )
        ):
            command = option(command)
        return command

    return decorate


def print_page(
    page: Page[Any], headings: Sequence[str], rows: Sequence[Sequence[str | None]], none: str
) -> None:
    """Print the rows, and say on stderr how to see more, or that there are *none*."""
    if not rows:
        click.echo(none, err=True)
        return
    for line in table(headings, rows):
        click.echo(line)
    if page.next_cursor is not None:
        click.echo(f"There are more: --cursor {page.next_cursor}", err=True)
