"""The live state of a source as a document: what a plan is made against where no database is. Pure."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Mapping
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from typing import Any

from taskcfg.errors import InvalidSnapshot
from taskcfg.problems import Position
from taskcfg.reconcile.state import LiveTask, Owner, Place
from taskcfg.spec.calendar import Calendar, calendar_from_document
from taskcfg.spec.instants import parse_rfc3339, rfc3339
from taskcfg.spec.pause import Pause
from taskcfg.spec.policy import CatchUp
from taskcfg.spec.schedule import calendars_of
from taskcfg.spec.task import TaskSpec, digest_of, task_from_document

FORMAT_VERSION = "1.0"
KIND = "snapshot"
DIGEST = "digest"


@dataclass(frozen=True)
class Snapshot:
    """What the database said of *source* at *taken_at*. Keeps the promises of `LiveState`.

    `tasks` are its live tasks with their specs, `others` the live names of other sources, `retired_ids` the
    names it retired, `paused` the pauses over its tasks by their ids.
    """

    source: str
    taken_at: datetime
    identity: str
    environment: str | None
    base_revision: int | None
    files_at: Place | None
    tasks: Mapping[str, LiveTask]
    others: Mapping[str, Owner]
    retired_ids: Mapping[str, int]
    paused: Mapping[int, Pause]

    def live_tasks(self) -> dict[str, LiveTask]:
        return {name: _without_spec(row) for name, row in self.tasks.items()}

    def adopted_tasks(self, owners: Mapping[str, Owner]) -> dict[str, LiveTask]:
        return {}

    def specs_of(self, ids: Collection[int]) -> dict[int, TaskSpec]:
        wanted = set(ids)
        return {row.id: row.spec for row in self.tasks.values() if row.id in wanted and row.spec is not None}

    def owners(self, names: Collection[str]) -> dict[str, Owner]:
        own = {name: Owner(self.source, *_place_in_file(row)) for name, row in self.tasks.items()}
        return {name: found for name in names if (found := self.others.get(name) or own.get(name))}

    def retired(self, names: Collection[str]) -> dict[str, int]:
        return {name: self.retired_ids[name] for name in names if name in self.retired_ids}

    def pauses(self, adopted: Collection[int] = ()) -> dict[int, Pause]:
        return dict(self.paused)

    def place(self) -> Place | None:
        return self.files_at

    def revision(self) -> int | None:
        return self.base_revision

    def database(self) -> str:
        return self.identity


def snapshot_document(snapshot: Snapshot) -> dict[str, Any]:
    """Return *snapshot* as JSON, with its own digest."""
    specs = [row.spec for row in snapshot.tasks.values() if row.spec is not None]
    calendars = {each.digest: each for spec in specs for each in calendars_of(spec.schedule)}
    document = {
        "format_version": FORMAT_VERSION,
        "kind": KIND,
        "timestamp": rfc3339(snapshot.taken_at),
        "environment": snapshot.environment,
        "source": {
            "name": snapshot.source,
            "revision": snapshot.base_revision,
            "place": None if snapshot.files_at is None else asdict(snapshot.files_at),
        },
        "database": snapshot.identity,
        "tasks": {name: _task_document(row) for name, row in snapshot.tasks.items()},
        "calendars": {digest: each.document() for digest, each in sorted(calendars.items())},
        "retired": dict(snapshot.retired_ids),
        "paused": {str(id_): _pause_document(pause) for id_, pause in sorted(snapshot.paused.items())},
        "other_sources": {name: asdict(owner) for name, owner in snapshot.others.items()},
    }
    return {**document, DIGEST: digest_of(document)}


def read_snapshot(text: str, place: str) -> Snapshot:
    """Return the snapshot that *text*, which stands at *place*, holds. Raises InvalidSnapshot."""
    try:
        document = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InvalidSnapshot(place, f"it is no JSON: {error}") from error
    if not isinstance(document, dict) or document.get("kind") != KIND:
        raise InvalidSnapshot(place, "it is no snapshot")
    if document.get("format_version") != FORMAT_VERSION:
        found = document.get("format_version")
        raise InvalidSnapshot(place, f"its format is {found!r}, and this version reads {FORMAT_VERSION!r}")
    digest = document.pop(DIGEST, None)
    try:
        if digest != digest_of(document):
            raise InvalidSnapshot(place, "it is damaged, or was changed after it was written")
        return _read(document)
    except (KeyError, TypeError, ValueError, AttributeError, RecursionError) as error:
        raise InvalidSnapshot(place, f"it is damaged ({type(error).__name__}: {error})") from error


def _read(document: Mapping[str, Any]) -> Snapshot:
    source, calendars = document["source"], document["calendars"]

    def calendar(name: str, digest: str) -> Calendar:
        return calendar_from_document(name, calendars[digest])

    return Snapshot(
        source=source["name"],
        taken_at=parse_rfc3339(document["timestamp"]),
        identity=document["database"],
        environment=document["environment"],
        base_revision=source["revision"],
        files_at=None if source["place"] is None else Place(**source["place"]),
        tasks={name: _task_from(name, each, calendar) for name, each in document["tasks"].items()},
        others={name: Owner(**each) for name, each in document["other_sources"].items()},
        retired_ids=document["retired"],
        paused={int(id_): _pause_from(each) for id_, each in document["paused"].items()},
    )


def _task_document(row: LiveTask) -> dict[str, Any]:
    file, line = _place_in_file(row)
    return {
        "id": row.id,
        "digest": row.digest,
        "version": row.version,
        "applied_version": row.applied_version,
        "protect": row.protect,
        "renamed_from": row.renamed_from,
        "applied_digest": row.applied_digest,
        "file": file,
        "line": line,
        "spec": None if row.spec is None else row.spec.document(),
    }


def _task_from(name: str, document: Mapping[str, Any], calendar: Callable[[str, str], Calendar]) -> LiveTask:
    spec, file = document["spec"], document["file"]
    position = None if file is None else Position(file, document["line"])
    read = None if spec is None else task_from_document(name, spec, calendar=calendar, position=position)
    numbers = (document["version"], document["applied_version"])
    row = LiveTask(document["id"], name, document["digest"], *numbers, document["protect"], read)
    return replace(row, renamed_from=document["renamed_from"], applied_digest=document["applied_digest"])


def _pause_document(pause: Pause) -> dict[str, Any]:
    return {
        "by": pause.by,
        "reason": pause.reason,
        "since": rfc3339(pause.since),
        "until": None if pause.until is None else rfc3339(pause.until),
        "missed": pause.missed.value,
    }


def _pause_from(document: Mapping[str, Any]) -> Pause:
    until = document["until"]
    return Pause(
        by=document["by"],
        reason=document["reason"],
        since=parse_rfc3339(document["since"]),
        until=None if until is None else parse_rfc3339(until),
        missed=CatchUp(document["missed"]),
    )


def _place_in_file(row: LiveTask) -> tuple[str | None, int | None]:
    position = None if row.spec is None else row.spec.position
    return (None, None) if position is None else (position.file, position.line)


def _without_spec(row: LiveTask) -> LiveTask:
    return replace(row, spec=None)
