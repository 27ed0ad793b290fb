"""What somebody asks of the schedulers that follow a source: sync now, and say what came of it.

A request is a number, one row a source: who asks raises it, one scheduler takes it, and answers up to
it. Asked again before it is taken, one sync answers both.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Engine, exists, select
from sqlalchemy.dialects import postgresql, sqlite

from taskcfg.store.database import reading, writing
from taskcfg.store.hints import notify
from taskcfg.store.nodes import is_alive
from taskcfg.store.settings_table import write_setting
from taskcfg.store.tables import node, setting


@dataclass(frozen=True, slots=True)
class SyncRequest:
    """How far it is: `asked` and `taken` and `answered` are numbers, `outcome` what the last answer says."""

    asked: int = 0
    taken: int = 0
    answered: int = 0
    by: str | None = None
    taker: str | None = None
    outcome: Mapping[str, Any] | None = None


def ask(database: Engine, source: str, by: str) -> int:
    """Ask whoever follows *source* to sync now; return the number to look for. Raises DatabaseUnavailable."""
    with writing(database) as connection:
        now = _locked(connection, source)
        fresh = replace(now, asked=now.asked + 1, by=by)
        _write(connection, source, fresh)
        notify(connection)
        return fresh.asked


def take(database: Engine, source: str, taker: UUID) -> int | None:
    """Take what is asked of those who follow *source*; return its number, None where nothing is to be done.

    What a scheduler took that is dead since may be taken again. Raises DatabaseUnavailable.
    """
    with reading(database) as connection:
        if not _is_open(connection, _read(connection, source)):
            return None
    with writing(database) as connection:
        now = _locked(connection, source)
        if not _is_open(connection, now):
            return None
        _write(connection, source, replace(now, taken=now.asked, taker=str(taker)))
        notify(connection)
        return now.asked


def answer(database: Engine, source: str, number: int, outcome: Mapping[str, Any]) -> None:
    """Say what came of the request *number*, and of those before it. Raises DatabaseUnavailable."""
    with writing(database) as connection:
        now = _locked(connection, source)
        if number > now.answered:
            _write(connection, source, replace(now, answered=number, taker=None, outcome=dict(outcome)))
            notify(connection)


def look(database: Engine, source: str) -> SyncRequest:
    """Return how far the newest request is. Raises DatabaseUnavailable."""
    with reading(database) as connection:
        return _read(connection, source)


def _is_open(connection: Connection, request: SyncRequest) -> bool:
    if request.asked <= request.answered:
        return False
    if request.taken <= request.answered or request.taker is None:
        return True
    alive = exists().where(node.c.id == UUID(request.taker), is_alive())
    return not connection.scalar(select(alive))


def _name(source: str) -> str:
    return f"sync:{source}"


def _read(connection: Connection, source: str, *, lock: bool = False) -> SyncRequest:
    query = select(setting.c.value).where(setting.c.name == _name(source))
    value = connection.scalar(query.with_for_update() if lock else query)
    return SyncRequest() if value is None else SyncRequest(**json.loads(value))


def _locked(connection: Connection, source: str) -> SyncRequest:
    insert = postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert
    fresh = insert(setting).values(name=_name(source), value=json.dumps(asdict(SyncRequest())))
    connection.execute(fresh.on_conflict_do_nothing())
    return _read(connection, source, lock=True)


def _write(connection: Connection, source: str, request: SyncRequest) -> None:
    write_setting(connection, _name(source), json.dumps(asdict(request)))
