"""Pauses: an operator's stop, kept apart from what the files say."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Engine, Select, delete, select, update

from taskcfg.failpoints import failpoint
from taskcfg.spec.advance import advance_past_pause, advance_paused_to_edit, missed_since
from taskcfg.spec.fires import Advance, DueTask
from taskcfg.spec.pause import Pause
from taskcfg.spec.policy import CatchUp
from taskcfg.spec.task import TaskSpec
from taskcfg.store import claims, recording
from taskcfg.store.bulk import among, insert_new_rows, update_rows
from taskcfg.store.columns import db_now
from taskcfg.store.database import database_time, reading
from taskcfg.store.firing import materialise_due, set_aside
from taskcfg.store.hints import notify
from taskcfg.store.settings_table import database_uuid
from taskcfg.store.tables import task_config, task_pause
from taskcfg.store.task_list import PAUSE_SELECTION, pause_of
from taskcfg.store.trust import UNWATCHED, Timekeeper, deciding

BATCH = 500

_c = task_config.c
_p = task_pause.c


@dataclass(frozen=True, slots=True)
class Resumed:
    """A task whose pause ended: how many of the missed fires were recorded to fire, and to be skipped by
    its overlap policy, and how many are only counted as missed."""

    task: str
    fires: int = 0
    skipped: int = 0
    missed: int = 0


def pause_tasks(connection: Connection, ids: Collection[int], pause: Pause) -> dict[int, Pause]:
    """Stop the live tasks *ids*, in the caller's transaction; return the pauses this one replaces.

    What is due already is recorded first and goes out. A task that is paused stays so since
    when it was; all else is as *pause* says.
    """
    materialise_due(connection, ids)
    rows = connection.execute(select(_c.id).where(among(connection, _c.id, ids), _c.retired_at.is_(None)))
    live = [row.id for row in rows]
    before = pauses_of(connection, live)
    connection.execute(delete(task_pause).where(among(connection, _p.task_config_id, before)))
    said = {"paused_by": pause.by, "reason": pause.reason, "until": pause.until, "missed": pause.missed.value}
    new = [
        {"task_config_id": id_, "since": before[id_].since if id_ in before else pause.since} for id_ in live
    ]
    insert_new_rows(connection, task_pause, new, shared=said)
    stopped = update(task_config).where(among(connection, _c.id, live))
    connection.execute(stopped.values(next_fire_at=None, error_retry_at=None))
    failpoint("pause.before_commit")
    return before


def resume_tasks(
    connection: Connection, ids: Collection[int], missed: CatchUp | None = None
) -> list[Resumed]:
    """End the pauses of those of *ids* that are paused, in the caller's transaction.

    Every nominal time of the pause is recorded: as a fire or in one missed span, as *missed*
    says, or else what was said when it began. What came after its end was not paused, and is
    made up for as the task's policy says.
    """
    paused = pauses_of(connection, ids)
    resumed: list[Resumed] = []
    rest = list(paused)
    while batch := rest[:BATCH]:
        rest = rest[BATCH:]
        resumed += _resume(connection, batch, missed)
        failpoint("resume.before_commit")
    if resumed:
        notify(connection)
    return sorted(resumed, key=lambda each: each.task)


def end_pauses(database: Engine, timekeeper: Timekeeper = UNWATCHED) -> list[Resumed]:
    """End the pauses whose time has come, by the database's clock. Raises DatabaseUnavailable, and
    Untimely where *timekeeper* does not trust it."""
    with reading(database) as connection:
        ids = connection.scalars(select(_p.task_config_id).where(_p.until <= db_now()).limit(BATCH)).all()
    if not ids:
        return []
    with deciding(database, timekeeper) as connection:
        claims.lock(connection, ids)
        over = select(_p.task_config_id).where(
            among(connection, _p.task_config_id, ids), _p.until <= database_time(connection)
        )
        return resume_tasks(connection, connection.scalars(over).all())


def pauses_of(connection: Connection, ids: Collection[int]) -> dict[int, Pause]:
    """Return the pauses over the tasks *ids*, those that are paused, by id."""
    return _pauses(connection, among(connection, _p.task_config_id, ids))


def pauses_of_source(connection: Connection, source: str) -> dict[int, Pause]:
    """Return the pauses over the tasks of *source*, also over retired ones, by id."""
    theirs = select(_c.id).where(_c.source == source)
    return _pauses(connection, _p.task_config_id.in_(theirs))


def settle_before_change(connection: Connection, specs: Mapping[int, TaskSpec | None]) -> dict[int, datetime]:
    """Record what paused tasks missed so far, before their schedules become those of *specs* (None: deleted).

    Of a task whose schedule stays as it is nothing is recorded: its first missed time is
    returned, by id, to be written back by `keep_missed`, and its pause's end decides.
    """
    kept: dict[int, datetime] = {}
    now = database_time(connection)

    def changes(task: DueTask) -> bool:
        spec = specs[task.id]
        same = spec is not None and spec.enabled
        if same and spec and (spec.schedule, spec.timezone) == (task.spec.schedule, task.spec.timezone):
            first = missed_since(task, now)
            kept.update({} if first is None else {task.id: first})
            return False
        return True

    ids = list(pauses_of(connection, list(specs)))
    for start in range(0, len(ids), BATCH):
        batch = ids[start : start + BATCH]
        _settle(connection, batch, lambda task: advance_paused_to_edit(task, now), changes)
    return kept


def keep_missed(connection: Connection, kept: Mapping[int, datetime]) -> None:
    """Write back from when on paused tasks have missed their fires."""
    update_rows(connection, task_config, [{"id": id_, "next_nominal_at": kept[id_]} for id_ in kept])


def _resume(connection: Connection, ids: Collection[int], missed: CatchUp | None) -> list[Resumed]:
    now = database_time(connection)
    claims.lock(connection, ids)
    pauses = pauses_of(connection, ids)  # again: somebody may have ended them while we waited for the rows

    def ending(task: DueTask) -> Advance:
        pause = pauses[task.id]
        return advance_past_pause(task, missed or pause.missed, pause.ends_at(now))

    advances = {each.task.id: each for each in _settle(connection, list(pauses), ending)}
    connection.execute(delete(task_pause).where(among(connection, _p.task_config_id, pauses)))
    names = connection.execute(select(_c.id, _c.name).where(among(connection, _c.id, pauses)))
    return [_resumed(row.name, advances.get(row.id)) for row in names]


def _settle(
    connection: Connection,
    ids: Collection[int],
    decide: Callable[[DueTask], Advance],
    wanted: Callable[[DueTask], bool] = lambda task: True,
) -> list[Advance]:
    now = database_time(connection)
    claimed = claims.claim_paused(connection, now, ids)
    set_aside(connection, claimed)
    advances = [decide(task) for task in claimed.due if wanted(task)]
    recording.record(
        connection, recording.Pass(database_uuid(connection), None, now, claimed.failing), advances
    )
    return advances


def _resumed(name: str, advance: Advance | None) -> Resumed:
    decision = advance.decision if advance else None
    if decision is None:
        return Resumed(name)
    skipped = sum(fire.skipped is not None for fire in decision.fires)
    span = decision.missed
    return Resumed(name, len(decision.fires) - skipped, skipped, span.count if span else 0)


def _pauses(connection: Connection, condition: Any) -> dict[int, Pause]:
    found = {}
    query: Select[Any] = select(_p.task_config_id, *PAUSE_SELECTION).where(condition)
    for row in connection.execute(query.order_by(_p.task_config_id)):
        pause = pause_of(row)
        if pause is not None:
            found[row[0]] = pause
    return found
