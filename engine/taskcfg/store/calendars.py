"""The days of the calendars that rows name, by digest.

A digest stands for the same days for ever, so what a process has read once it never reads again.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from sqlalchemy import Connection, Row, Text, cast, select

from taskcfg.spec.calendar import Calendar, calendar_from_document
from taskcfg.spec.schedule import calendars_of
from taskcfg.spec.task import TaskSpec
from taskcfg.store.bulk import among
from taskcfg.store.columns import db_now
from taskcfg.store.tables import calendar

_DIGESTS = re.compile(r'"digest"\s*:\s*"([0-9a-f]+)"')
_known: dict[str, Calendar] = {}


class MissingCalendar(ValueError):
    """The database does not have the days that a row's calendar stands for."""


def with_calendars(connection: Connection, rows: Iterable[Row[Any]]) -> Sequence[Row[Any]]:
    """Return *rows*, which select `schedule` as text, once the calendars they name have been read.

    Asks the database only for days that this process has not seen yet.
    """
    found = list(rows)
    texts = {row.schedule for row in found if row.schedule is not None and '"digest"' in row.schedule}
    unknown = {digest for text in texts for digest in _DIGESTS.findall(text)} - _known.keys()
    if unknown:
        _known.update(_stored(connection, unknown))
    return found


def read_calendars(connection: Connection, documents: Iterable[Mapping[str, Any]]) -> None:
    """Read the calendars that the tasks' *documents* name, so that `known_calendar` has them."""
    texts = (json.dumps(document.get("schedule")) for document in documents)
    unknown = {digest for text in texts for digest in _DIGESTS.findall(text)} - _known.keys()
    if unknown:
        _known.update(_stored(connection, unknown))


def _stored(connection: Connection, digests: Collection[str]) -> dict[str, Calendar]:
    """Return, of *digests*, those whose days are there, unless somebody changed them into others."""
    c = calendar.c
    # As text: a document that is no JSON any more spoils its own row only.
    query = select(c.digest, c.name, cast(c.document, Text)).where(
        among(connection, c.digest, sorted(digests))
    )
    found = {}
    for digest, name, document in connection.execute(query):
        try:
            each = calendar_from_document(name, json.loads(document))
        except (ValueError, KeyError, TypeError, AttributeError):
            continue
        if each.digest == digest:
            found[digest] = each
    return found


def known_calendar(name: str, digest: str) -> Calendar:
    """Return the calendar *name* of the days *digest*. Raises MissingCalendar."""
    found = _known.get(digest)
    if found is None:
        raise MissingCalendar(
            f"the days of calendar `{name}` are not in the database, or were changed there; "
            "`taskcfg apply` writes them again"
        )
    return found if found.name == name else replace(found, name=name)


def forget_calendars() -> None:
    """Have every calendar read from the database again."""
    _known.clear()


def save_calendars(connection: Connection, specs: Iterable[TaskSpec]) -> None:
    """Write the days of the calendars that *specs* name where the database does not have them.

    Older days stay: revisions and retired tasks name them.
    """
    wanted = {each.digest: each for spec in specs for each in calendars_of(spec.schedule)}
    if not wanted:
        return
    whole = _stored(connection, wanted)
    rows = [
        {"digest": digest, "name": each.name, "document": each.document()}
        for digest, each in sorted(wanted.items())
        if digest not in whole
    ]
    if rows:
        # One that somebody spoiled is written anew; no other transaction does: applies wait for each other.
        spoiled = among(connection, calendar.c.digest, [row["digest"] for row in rows])
        connection.execute(calendar.delete().where(spoiled))
        connection.execute(calendar.insert().values(created_at=db_now()), rows)
