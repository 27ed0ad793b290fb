"""The state of a source after one of its revisions, as something to plan and apply like files."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace

from taskcfg.errors import TaskcfgError, UnsafePlan
from taskcfg.problems import Position, Problem, Severity
from taskcfg.reconcile.past import PastTask, tasks_at
from taskcfg.reconcile.state import Bearer
from taskcfg.settings import Settings
from taskcfg.source.checkout import Checkout
from taskcfg.spec.task import TaskSpec, task_from_document
from taskcfg.store import past, revisions
from taskcfg.store.calendars import known_calendar, read_calendars
from taskcfg.store.database import Connection, Engine, reading
from taskcfg.store.nodes import followers
from taskcfg.store.spec_columns import UNREADABLE
from taskcfg.store.task_configs import bearers, places_of
from taskcfg.sync import Desired


def desired_at(database: Engine, settings: Settings, number: int) -> Desired:
    """Return what the settings' source declared when its revision *number* had been applied.

    Raises UnknownRevision for one that is not there, or is another source's, and TaskcfgError where what was
    recorded cannot be read.
    """
    source = settings.source
    with reading(database) as connection:
        row, _ = past.read_revision(connection, number, source)
        then = tasks_at(past.all_revisions(connection), number)
        found = [task for task in then if task.source == source]
        read_calendars(connection, (task.document for task in found))
        rows = _rows(found)
        now = bearers(connection, rows)
        places = places_of(connection, source)
        known = revisions.place_of(connection, source)
        others = [task for task in then if task.source != source]
        warnings = _not_given_back(others, bearers(connection, _rows(others)), source, places)
    names = {task.name: now[task.name].name if task.name in now else task.name for task in found}
    specs = {task.name: _spec(task, places.get(names[task.name]), number) for task in found}
    folder = known.folder if known is not None and known.folder is not None else ""
    checkout = None
    if known is not None and known.repo is not None and row.commit is not None:
        checkout = Checkout(known.repo, folder, row.commit, row.author or "", row.subject or "", row.dirty)
    return Desired(
        specs,
        files=0,
        files_digest=row.files_digest or "",
        folder=folder,
        warnings=tuple(warnings),
        checkout=checkout,
        environment=settings.env,
        past=number,
        rows=rows,
    )


def _rows(tasks: Iterable[PastTask]) -> dict[str, int]:
    return {task.name: task.id for task in tasks if task.id is not None}


def _not_given_back(
    others: Iterable[PastTask], now: Mapping[str, Bearer], source: str, places: Mapping[str, Position]
) -> Iterator[Problem]:
    """Warn of tasks that were adopted since from *others*: they are deleted, as all that came later."""
    for task in others:
        row = now.get(task.name)
        if row is not None and row.source == source and not row.retired:
            where = places.get(row.name, Position("task_config", 0))
            message = f"`{row.name}` was source `{task.source}`'s then: it is deleted here, not given back"
            hint = f"an apply of source `{task.source}` that declares it brings it back as a new task"
            yield Problem(where, message, hint, severity=Severity.WARNING)


def _spec(task: PastTask, position: Position | None, number: int) -> TaskSpec:
    try:
        spec = task_from_document(task.name, task.document, calendar=known_calendar, position=position)
    except UNREADABLE as error:
        raise TaskcfgError(f"what revision {number} says of `{task.name}` cannot be read: {error}") from error
    return replace(spec, renamed_from=task.renamed_from)


def check_followers(connection: Connection, source: str) -> None:
    """Refuse a rollback that somebody would undo at once. Raises UnsafePlan."""
    names = followers(connection, source)
    if names:
        raise UnsafePlan(
            f"source `{source}` is kept in step with its files, by scheduler {', '.join(names)}:"
            " a rollback would be undone; revert the commit instead",
            flag="--despite-sync",
        )
