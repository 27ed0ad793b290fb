"""What revisions tell of single tasks: unpacked by the database, and followed through renames."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Select, Text, cast, func, literal_column, or_, select

from taskcfg.store.bulk import among
from taskcfg.store.tables import revision


@dataclass(frozen=True, slots=True)
class ToldChange:
    """One element of a revision's `changes`, with what its revision says of itself."""

    revision: int
    source: str
    at: datetime
    document: Mapping[str, Any]
    actor: str
    commit: str | None
    author: str | None

    @property
    def place(self) -> tuple[str, str]:
        """The source and the name that the task has after the change."""
        return self.source, self.document["name"]

    @property
    def previous(self) -> tuple[str, str] | None:
        """Those it had before, where the change gave it others."""
        before = (
            self.document.get("previous_source", self.source),
            self.document.get("previous", self.document["name"]),
        )
        return None if before == self.place else before


class Told:
    """Changes in their order, found by the task they are of."""

    def __init__(self, changes: Iterable[ToldChange]) -> None:
        self._of: dict[tuple[str, str], list[ToldChange]] = {}
        self._left: dict[tuple[str, str], list[int]] = {}
        for told in changes:
            self._of.setdefault(told.place, []).append(told)
            if told.previous is not None:
                self._left.setdefault(told.previous, []).append(told.revision)

    def of(self, source: str, name: str) -> list[ToldChange]:
        """Return what happened to the task that is *source*'s *name* now, under all names it had.

        What happened to another that bore one of these names before is not among it.
        """
        place, before = (source, name), sys.maxsize
        found: list[ToldChange] = []
        while True:
            # Another task has left the name at this revision, and all before is its.
            left = max((number for number in self._left.get(place, ()) if number < before), default=0)
            here = [
                told for told in self._of.get(place, ()) if _is_own(told, left) and told.revision < before
            ]
            came = next((told for told in reversed(here) if told.previous is not None), None)
            if came is None or came.previous is None:
                return here + found
            found = [told for told in here if told.revision >= came.revision] + found
            place, before = came.previous, came.revision


def _is_own(told: ToldChange, left: int) -> bool:
    return told.revision > left or (told.revision == left and told.previous is not None)


def told_changes(connection: Connection, names: Iterable[str], since: datetime) -> Told:
    """Return the changes after *since* of tasks that bear *names*, or bore them.

    Those under the names that such tasks had before are among them.
    """
    asked, missing = set[str](), set(names)
    found: dict[tuple[int, str], ToldChange] = {}
    while missing:
        query = _told(connection, sorted(missing)).where(revision.c.created_at > since)
        for number, source, at, actor, commit, author, text in connection.execute(query):
            told = ToldChange(number, source, at, json.loads(text), actor, commit, author)
            found[number, told.document["name"]] = told
        asked |= missing
        missing = {told.previous[1] for told in found.values() if told.previous is not None} - asked
    return Told(found[key] for key in sorted(found))


def _told(connection: Connection, names: Sequence[str]) -> Select[Any]:
    r = revision.c
    if connection.dialect.name == "postgresql":
        change = func.jsonb_array_elements(r.changes).table_valued("value").render_derived(name="told")
        name: Any = literal_column("told.value ->> 'name'", Text)
        previous: Any = literal_column("told.value ->> 'previous'", Text)
    else:
        change = func.json_each(r.changes).table_valued("value").alias("told")
        name = literal_column("told.value ->> '$.name'", Text)
        previous = literal_column("told.value ->> '$.previous'", Text)
    return (
        select(r.id, r.source, r.created_at, r.actor, r.commit, r.author, cast(change.c.value, Text))
        .select_from(revision)
        .join(change, literal_column("true"))
        .where(or_(among(connection, name, names), among(connection, previous, names)))
    )
