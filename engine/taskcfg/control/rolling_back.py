"""The state of a source after one of its revisions, as something to plan and apply like files."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from taskcfg.errors import TaskcfgError, UnknownRevision, UnsafePlan
from taskcfg.problems import Position
from taskcfg.reconcile.past import state_at
from taskcfg.settings import Settings
from taskcfg.source.checkout import Checkout
from taskcfg.spec.task import TaskSpec, task_from_document
from taskcfg.store import past, revisions
from taskcfg.store.calendars import known_calendar, read_calendars
from taskcfg.store.database import Connection, Engine, reading
from taskcfg.store.nodes import followers
from taskcfg.store.spec_columns import UNREADABLE
from taskcfg.store.task_configs import places_of
from taskcfg.sync import Desired


def desired_at(database: Engine, settings: Settings, number: int) -> Desired:
    """Return what the settings' source declared when its revision *number* had been applied.

    Raises UnknownRevision for one that is not there, or is another source's, and TaskcfgError where what was
    recorded cannot be read.
    """
    source = settings.source
    with reading(database) as connection:
        row, _ = past.read_revision(connection, number)
        if row.source != source:
            raise UnknownRevision(number, source=source, owner=row.source)
        found = state_at(past.all_revisions(connection), source, number)
        read_calendars(connection, (document for document, _ in found.values()))
        places = places_of(connection, source)
        known = revisions.place_of(connection, source)
    specs = {name: _spec(name, *each, places.get(each[1]), number) for name, each in found.items()}
    folder = known.folder if known is not None and known.folder is not None else ""
    checkout = None
    if known is not None and known.repo is not None and row.commit is not None:
        checkout = Checkout(known.repo, folder, row.commit, row.author or "", row.subject or "", row.dirty)
    of_then = Desired(specs, 0, row.files_digest or "", folder, checkout=checkout, past=number)
    return replace(of_then, environment=settings.env)


def _spec(name: str, document: Any, now: str, position: Position | None, number: int) -> TaskSpec:
    try:
        spec = task_from_document(name, document, calendar=known_calendar, position=position)
    except UNREADABLE as error:
        raise TaskcfgError(f"what revision {number} says of `{name}` cannot be read: {error}") from error
    return spec if now == name else replace(spec, renamed_from=now)


def check_followers(connection: Connection, source: str) -> None:
    """Refuse a rollback that somebody would undo at once. Raises UnsafePlan."""
    names = followers(connection, source)
    if names:
        raise UnsafePlan(
            f"source `{source}` is kept in step with its files, by scheduler {', '.join(names)}:"
            " a rollback would be undone; revert the commit instead",
            flag="--despite-sync",
        )
