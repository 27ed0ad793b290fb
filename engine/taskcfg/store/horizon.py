"""How far back history is whole: what purging has deleted is no gap."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from taskcfg.spec.instants import parse_rfc3339, rfc3339
from taskcfg.store.settings_table import read_setting, write_setting

SETTING = "history_purged"


@dataclass(frozen=True, slots=True)
class Horizon:
    """What may be gone: of every task what was recorded until `before`; and what was recorded until
    `counted_until`, but for the newest `kept` fires of each task."""

    before: datetime | None = None
    counted_until: datetime | None = None
    kept: int = 0


def read_horizon(connection: Connection) -> Horizon:
    """Return how far back history is whole; where nothing was ever purged, without any bound."""
    text = read_setting(connection, SETTING)
    return Horizon() if text is None else _from_document(json.loads(text))


def note_purge(connection: Connection, before: datetime, keep: int) -> None:
    """Remember that fires recorded until *before* are deleted, but for the newest *keep* of each task."""
    known = read_horizon(connection)
    if not keep:
        new = replace(known, before=before if known.before is None else max(known.before, before))
    elif known.counted_until is None:
        new = replace(known, counted_until=before, kept=keep)
    else:
        kept = min(known.kept, keep)
        new = replace(known, counted_until=max(known.counted_until, before), kept=kept)
    if new != known:
        write_setting(connection, SETTING, json.dumps(_document(new)))


def _document(horizon: Horizon) -> dict[str, Any]:
    return {
        "before": None if horizon.before is None else rfc3339(horizon.before),
        "counted_until": None if horizon.counted_until is None else rfc3339(horizon.counted_until),
        "kept": horizon.kept,
    }


def _from_document(document: Mapping[str, Any]) -> Horizon:
    before, counted_until = document["before"], document["counted_until"]
    return Horizon(
        None if before is None else parse_rfc3339(before),
        None if counted_until is None else parse_rfc3339(counted_until),
        document["kept"],
    )
