"""`taskcfg history`: executions."""

from __future__ import annotations

import json
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
    from taskcfg.store.history import ExecutionRow

STATES = ("running", "succeeded", "failed", "retrying", "timed_out", "lost", "cancelled")
HEADINGS = ("STARTED", "TASK", "STATE", "ATTEMPT", "TOOK", "FIRE", "RESULT")
LONGEST = 80


@click.command("history")
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
    """Show executions: attempts and how they ended.

    The newest first, of all tasks or of those asked for. NAME may be a glob such as 'billing.*'.
    """
    with invocation.taskcfg() as taskcfg:
        from taskcfg.store.history import Wanted

        page = taskcfg.executions(Wanted(None, states or None, since, limit, cursor), selection)
    if invocation.as_json:
        from taskcfg.control.documents import execution_document

        shown = [execution_document(execution) for execution in page.rows]
        print_json({"executions": shown, "next_cursor": page.next_cursor})
        return
    narrow = selection.narrows or states or since or cursor
    none = "No execution matches." if narrow else "No execution is recorded yet."
    print_page(page, HEADINGS, [_row(execution) for execution in page.rows], none)


def _row(execution: ExecutionRow) -> list[str | None]:
    from taskcfg_cli.render.times import span, stamp

    return [
        stamp(execution.started_at),
        execution.task,
        execution.state,
        str(execution.attempt),
        None if execution.duration is None else span(execution.duration),
        str(execution.event_id),
        _result(execution),
    ]


def _result(execution: ExecutionRow) -> str | None:
    if execution.error is None and execution.result is None:
        return None
    text = execution.error or json.dumps(execution.result, ensure_ascii=False)
    return shortened(text, LONGEST)
