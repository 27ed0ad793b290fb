"""One fire, or a few: found by what people type, looked at, cancelled, run again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from taskcfg.control.documents import execution_document, fire_document
from taskcfg.control.names import choose
from taskcfg.control.running import Requested, look_again
from taskcfg.errors import UnknownFire, UnknownTask
from taskcfg.spec.selection import ALL, Selection
from taskcfg.store.database import Connection, Engine, reading, writing
from taskcfg.store.history import ExecutionRow, FireRow, executions_of, fires_by_id
from taskcfg.store.interventions import MOST_FOUND, cancel_fires, ids_like, newest_fire_of, retry_fires

SHORTEST_START = 6
"""So many digits at least of a fire's id name it."""

_HINT = "`taskcfg events` shows the fires and their ids"


@dataclass(frozen=True, slots=True)
class Attempts:
    """One fire with its attempts, the first one first."""

    fire: FireRow
    executions: tuple[ExecutionRow, ...]

    def document(self) -> dict[str, Any]:
        """Return the JSON shape of `taskcfg logs`."""
        return {
            "event": fire_document(self.fire),
            "executions": [execution_document(execution) for execution in self.executions],
        }


def attempts_at(database: Engine, which: str) -> Attempts:
    """Return the fire *which*, an id, the start of one, or a task's name, which means its newest.

    Raises UnknownFire.
    """
    with reading(database) as connection:
        id_ = _fire_named(connection, which)
        if id_ is None:
            id_ = _newest_fire(connection, which)
        (fire,) = fires_by_id(connection, [id_])
        return Attempts(fire, tuple(executions_of(connection, [id_])[id_]))


def cancel(database: Engine, which: Sequence[str], actor: str) -> list[FireRow]:
    """Cancel these fires, ids or starts of ids: all of them, or none. Raises UnknownFire, FireNotReady."""
    with writing(database) as connection:
        ids = _fires_named(connection, which)
        cancel_fires(connection, ids, actor=actor)
        found = {fire.id: fire for fire in fires_by_id(connection, ids)}
    return [found[id_] for id_ in ids]


def retry(database: Engine, which: Sequence[str], actor: str) -> list[Requested]:
    """Have these fires run again: all of them, or none. Raises UnknownFire, FireNotReady."""
    with writing(database) as connection:
        ids = _fires_named(connection, which)
        retry_fires(connection, ids, actor=actor)
        fires = fires_by_id(connection, ids)
    return look_again(
        database, [Requested(fire) for fire in sorted(fires, key=lambda fire: ids.index(fire.id))]
    )


def _fires_named(connection: Connection, which: Sequence[str]) -> list[UUID]:
    ids = []
    for text in which:
        id_ = _fire_named(connection, text)
        if id_ is None:
            raise UnknownFire(f"`{text}` is no fire's id", hint=_HINT)
        ids.append(id_)
    return list(dict.fromkeys(ids))


def _fire_named(connection: Connection, text: str) -> UUID | None:
    """Return the fire that *text*, an id or the start of one, names; None if it is no such thing."""
    digits = text.replace("-", "").lower()
    if not SHORTEST_START <= len(digits) <= 32 or not set(digits) <= set("0123456789abcdef"):
        return None
    ids = ids_like(connection, digits)
    if len(ids) > 1:
        more = " and more" if len(ids) == MOST_FOUND else ""
        named = ", ".join(f"{fire.id} ({fire.task})" for fire in fires_by_id(connection, ids))
        raise UnknownFire(f"several fires' ids begin with `{text}`: {named}{more}", hint="type more of it")
    if not ids and len(digits) == 32:
        raise UnknownFire(f"there is no fire {text}", hint=_HINT)
    return ids[0] if ids else None


def _newest_fire(connection: Connection, name: str) -> UUID:
    try:
        rows = choose(connection, Selection((name,), states=(ALL,)))
    except UnknownTask as error:
        raise UnknownFire(f"`{name}` is neither a fire's id nor a task's name", hint=error.hint) from error
    id_ = newest_fire_of(connection, [row.id for row in rows])
    if id_ is None:
        raise UnknownFire(f"task `{name}` has no fire yet", hint=f"`taskcfg run {name}` makes one")
    return id_
