"""`taskcfg events`: fires."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

import click

from taskcfg_cli import options
from taskcfg_cli.context import Invocation
from taskcfg_cli.render.json import print_json
from taskcfg_cli.render.pages import paged, print_page
from taskcfg_cli.render.table import shortened

if TYPE_CHECKING:
    from taskcfg.spec.selection import Selection
    from taskcfg.store.history import FireRow

STATES = (
    "pending", "waiting", "published", "done", "skipped", "missed", "expired", "dead", "cancelled",
)  # fmt: skip
HEADINGS = ("NOMINAL", "TASK", "KIND", "STATE", "ATTEMPTS", "ID", "REASON")


@click.command("events")
@paged(*STATES)
@options.output()
@options.settings("database_url")
@options.general
@click.pass_obj
def command(
    invocation: Invocation,
    selection: Selection,
    since: datetime | None,
    states: tuple[str, ...],
    limit: int,
    cursor: str | None,
) -> None:
    """Show fires and what became of them.

    The newest first, of all tasks or of those asked for. NAME may be a glob such as 'billing.*'.
    """
    with invocation.taskcfg() as taskcfg:
        from taskcfg.store.history import Wanted

        page = taskcfg.events(Wanted(None, states or None, since, limit, cursor), selection)
    if invocation.as_json:
        from taskcfg.control.documents import fire_document

        print_json({"events": [fire_document(fire) for fire in page.rows], "next_cursor": page.next_cursor})
        return
    narrow = selection.narrows or states or since or cursor
    none = "No fire matches." if narrow else "No fire is recorded yet."
    print_page(page, HEADINGS, [_row(fire) for fire in page.rows], none)


def _row(fire: FireRow) -> list[str | None]:
    from taskcfg_cli.render.times import stamp

    state = f"{fire.state} x{fire.span_count}" if fire.span_count else fire.state
    return [
        stamp(fire.nominal_at),
        fire.task,
        fire.kind,
        state,
        str(fire.attempts),
        str(fire.id),
        shortened(fire.reason) or None,
    ]
