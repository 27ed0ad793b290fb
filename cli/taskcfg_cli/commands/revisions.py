"""`taskcfg revisions`: applied plans."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from taskcfg_cli import options
from taskcfg_cli.context import Invocation
from taskcfg_cli.render.json import print_json
from taskcfg_cli.render.pages import MOST, print_page
from taskcfg_cli.render.table import pairs, printable, shortened

if TYPE_CHECKING:
    from taskcfg.control import Taskcfg
    from taskcfg.store.past import RevisionRow

HEADINGS = ("REVISION", "APPLIED", "SOURCE", "BY", "COMMIT", "CHANGES", "SUBJECT")
SIGNS = {"add": "+", "change": "~", "rename": ">", "delete": "-"}


@click.command("revisions")
@click.argument("revision", type=click.IntRange(1), required=False, metavar="[REVISION]")
@click.option("--source", metavar="NAME", help="Only those of this source.")
@click.option("--limit", type=click.IntRange(1, MOST), default=50, show_default=True, metavar="N")
@click.option("--cursor", metavar="CURSOR", help="Go on where a page ended.")
@options.output()
@options.settings("database_url")
@options.general
@click.pass_obj
def command(
    invocation: Invocation, revision: int | None, source: str | None, limit: int, cursor: str | None
) -> None:
    """Show applied plans, the newest first, or one with all it changed."""
    with invocation.taskcfg() as taskcfg:
        if revision is not None:
            _show(invocation, taskcfg, revision, source)
            return
        page = taskcfg.revisions(source, limit=limit, cursor=cursor)
    if invocation.as_json:
        from taskcfg.control.documents import revision_document

        print_json(
            {"revisions": [revision_document(row) for row in page.rows], "next_cursor": page.next_cursor}
        )
        return
    narrow = source or cursor
    none = "No revision matches." if narrow else "Nothing was applied yet."
    print_page(page, HEADINGS, [_row(row) for row in page.rows], none)


def _show(invocation: Invocation, taskcfg: Taskcfg, number: int, source: str | None) -> None:
    from taskcfg.control.documents import recorded_document, revision_document
    from taskcfg.reconcile.past import recorded_lines

    row, changes = taskcfg.revision(number, source)
    if invocation.as_json:
        print_json({**revision_document(row), "changes": [recorded_document(each) for each in changes]})
        return
    for line in pairs(_facts(row)):
        click.echo(line)
    click.echo()
    for change in changes:
        click.echo(printable("\n".join(recorded_lines(change))))


def _facts(row: RevisionRow) -> list[tuple[str, str | None]]:
    from taskcfg_cli.render.times import stamp

    return [
        ("revision", str(row.number)),
        ("source", row.source),
        ("applied", stamp(row.applied_at)),
        ("by", row.actor),
        ("reason", row.reason),
        ("commit", _commit(row, len(row.commit or ""))),
        ("author", row.author),
        ("subject", row.subject),
        ("changes", _sum(row.summary)),
    ]


def _row(row: RevisionRow) -> list[str | None]:
    from taskcfg_cli.render.times import stamp

    return [
        str(row.number),
        stamp(row.applied_at),
        row.source,
        row.actor,
        _commit(row, 8),
        _sum(row.summary),
        shortened(row.reason or row.subject) or None,
    ]


def _commit(row: RevisionRow, most: int) -> str | None:
    if row.commit is None:
        return None
    return f"{row.commit[:most]}{' and uncommitted changes' if row.dirty else ''}"


def _sum(summary: Any) -> str:
    return " ".join(f"{sign}{summary[name]}" for name, sign in SIGNS.items() if summary.get(name))
