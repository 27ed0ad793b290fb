"""Fire times under another time zone database: worked out anew, a batch of rows at a time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Engine, Row, select, update

from taskcfg.spec.advance import error_text
from taskcfg.spec.fire_time import coming_after
from taskcfg.spec.instants import parse_rfc3339, rfc3339
from taskcfg.spec.times.zones import NOT_A_ZONE
from taskcfg.store import recording
from taskcfg.store.bulk import update_rows
from taskcfg.store.calendars import with_calendars
from taskcfg.store.claims import Failure
from taskcfg.store.columns import db_now
from taskcfg.store.database import database_time, reading, writing
from taskcfg.store.firing import materialise_to_edit
from taskcfg.store.pauses import settle_before_change
from taskcfg.store.postgres import FIRING
from taskcfg.store.settings_table import read_setting, write_setting
from taskcfg.store.spec_columns import SPEC_SELECTION, UNREADABLE, spec_of
from taskcfg.store.tables import task_config

SETTING = "tz_database"
SETTING_SINCE = "tz_database_since"
BATCH = 500

_c = task_config.c
_SELECTION = (*SPEC_SELECTION, _c.next_nominal_at, _c.next_fire_at, _c.error_count)


@dataclass(frozen=True, slots=True)
class Rezoned:
    """How many tasks fire at another time than before, and how many have no zone any more."""

    moved: int
    gone: int


def known_zone_database(database: Engine) -> str | None:
    """Return the version that fire times were last worked out with. Raises DatabaseUnavailable."""
    with reading(database) as connection:
        return read_setting(connection, SETTING)


def note_zone_database(database: Engine, version: str) -> None:
    """Remember what fire times were worked out with; and since when, if it was something else before."""
    with writing(database) as connection:
        if read_setting(connection, SETTING) is not None:
            write_setting(connection, SETTING_SINCE, rfc3339(database_time(connection)))
        write_setting(connection, SETTING, version)


def zones_known_since(connection: Connection) -> datetime | None:
    """Return since when fire times come from the present zone database, None where it is the first."""
    text = read_setting(connection, SETTING_SINCE)
    return None if text is None else parse_rfc3339(text)


def record_what_passed(database: Engine) -> None:
    """Record every nominal time until now by the clocks that this process knows so far.

    As an apply does before it changes a schedule: what jitter holds back goes out at its fire time,
    and what a pause has kept from firing is missed. Raises DatabaseUnavailable.
    """
    with writing(database) as connection:
        passed = select(_c.id).where(
            _c.next_nominal_at <= database_time(connection), _c.retired_at.is_(None), _c.enabled
        )
        ids = connection.scalars(passed.order_by(_c.id)).all()
        materialise_to_edit(connection, ids)
        settle_before_change(connection, dict.fromkeys(ids))


def recompute_times(database: Engine, *, batch: int = BATCH) -> Rezoned:
    """Work out anew when every active task fires next, and have those that lack a zone looked at again.

    What is due already, or only held back by its jitter, stays as it is. A task whose zone is gone is
    quarantined. Each batch is a transaction of its own, so that nobody waits for all of them; doing it
    again, after a crash or on two nodes at once, changes nothing more. Raises DatabaseUnavailable.
    """
    after, moved, gone = 0, 0, 0
    while True:
        with writing(database, FIRING) as connection:
            rows = _locked(connection, after, batch)
            if not rows:
                _retry_lost_zones(connection)
                return Rezoned(moved, gone)
            after = rows[-1].id
            found, lost = _worked_out(rows, database_time(connection))
            update_rows(connection, task_config, found)
            recording.quarantine(connection, lost)
            moved, gone = moved + len(found), gone + len(lost)


def _locked(connection: Connection, after: int, most: int) -> Sequence[Row[Any]]:
    now = database_time(connection)
    coming = select(*_SELECTION).where(
        _c.id > after,
        _c.next_fire_at > now,
        _c.next_nominal_at > now,
        _c.retired_at.is_(None),
        _c.enabled,
    )
    locking = coming.order_by(_c.id).limit(most).with_for_update(of=task_config, key_share=True)
    return with_calendars(connection, connection.execute(locking))


def _worked_out(rows: Sequence[Row[Any]], now: datetime) -> tuple[list[dict[str, Any]], list[Failure]]:
    """Return the rows that move, and those that cannot be worked out."""
    moved, lost = [], []
    for row in rows:
        try:
            coming = coming_after(spec_of(row), now)
        except UNREADABLE as error:
            lost.append(Failure(row.id, error_text(error), row.error_count))
            continue
        nominal, fire = coming or (None, None)
        if (nominal, fire) != (row.next_nominal_at, row.next_fire_at):
            moved.append({"id": row.id, "next_nominal_at": nominal, "next_fire_at": fire})
    return moved, lost


def _retry_lost_zones(connection: Connection) -> None:
    lost = _c.error_retry_at.is_not(None) & _c.error_reason.contains(NOT_A_ZONE, autoescape=True)
    connection.execute(update(task_config).where(lost).values(error_retry_at=db_now()))
