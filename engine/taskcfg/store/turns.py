"""Whose turn it is: fires that wait go out when what they wait for has ended.

A task's row is locked first, as by everybody who adds a fire, and only then its fires: who closes
one holds that fire's row, and never asks for the task's. What others hold is not waited for.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import (
    Connection,
    Engine,
    Row,
    Select,
    Text,
    cast,
    exists,
    func,
    or_,
    select,
    update,
)

from taskcfg.spec.fires import LIVE_STATES, EventKind, EventState, ExecutionState
from taskcfg.spec.overlap import REPLACED, LiveFire, Turn, take_turn
from taskcfg.spec.policy import Overlap, OverlapMode
from taskcfg.store.bulk import among
from taskcfg.store.columns import db_now, is_one_of
from taskcfg.store.database import reading, writing
from taskcfg.store.hints import notify
from taskcfg.store.live_fires import overlap_of
from taskcfg.store.postgres import FIRING
from taskcfg.store.tables import schedule_event, task_config, task_execution

BATCH = 500
"""So many tasks' turns are taken in one transaction."""

_c = task_config.c
_e = schedule_event.c
_x = task_execution.c


@dataclass(frozen=True, slots=True)
class Turned:
    """How many fires had their turn, were replaced at once, and are to be stopped for being replaced.
    `again`: somebody else was at some of the rows, and it is worth another look in a moment."""

    going: int = 0
    cancelled: int = 0
    stopping: int = 0
    again: bool = False

    def __add__(self, other: Turned) -> Turned:
        return Turned(
            self.going + other.going,
            self.cancelled + other.cancelled,
            self.stopping + other.stopping,
            self.again or other.again,
        )

    def __bool__(self) -> bool:
        return bool(self.going or self.cancelled or self.stopping)

    def __str__(self) -> str:
        return f"going={self.going} cancelled={self.cancelled} stopping={self.stopping}"


def take_turns(database: Engine) -> Turned:
    """Have every fire whose turn has come go out, unowned, for any relay. Raises DatabaseUnavailable.

    Any number of nodes may do so at once: of two that look at the same task, one goes on without it.
    """
    turned = Turned()
    for ids in _worth_a_look(database):
        with writing(database, FIRING) as connection:
            overlaps = _locked_tasks(connection, ids)
            turned += take_turns_of(connection, overlaps)
            turned += Turned(again=len(overlaps) < len(ids))
    return turned


def take_turns_of(connection: Connection, overlaps: Mapping[int, Overlap]) -> Turned:
    """Take the turns of the tasks with these *overlaps*, by id, in the caller's transaction.

    The caller holds their rows. Under `replace` what runs gets its wish to be stopped here.
    """
    if not overlaps:
        return Turned()
    whole = replacing(overlaps)
    held_by_us = _locked_fires(connection, overlaps, whole)
    turned = Turned()
    turns = []
    for id_, fires in _live(connection, overlaps, whole, held_by_us).items():
        turn = take_turn(overlaps[id_], fires)
        turns.append(turn)
        turned += Turned(len(turn.goes), len(turn.cancelled), len(turn.stopped), turn.again)
    _write(connection, turns)
    if turned:
        notify(connection)
    return turned


def replacing(overlaps: Mapping[int, Overlap]) -> dict[int, Overlap]:
    """Return those of *overlaps* under which a new fire does away with what is live."""
    return {id_: each for id_, each in overlaps.items() if each.mode is OverlapMode.REPLACE}


def _worth_a_look(database: Engine) -> Iterator[list[int]]:
    """Yield the ids of the tasks where a fire waits and may not have to, a batch at a time."""
    last = 0
    while True:
        with reading(database) as connection:
            rows = connection.execute(_WAITING.where(_e.task_config_id > last).limit(BATCH)).all()
        ids = [row.id for row in rows if _may_turn(row)]
        if ids:
            yield ids
        if len(rows) < BATCH:
            return
        last = rows[-1].id


def _going(*more: Any) -> Any:
    other = schedule_event.alias("other")
    going = is_one_of(other.c.state, EventState.PENDING, EventState.PUBLISHED)
    conditions = (other.c.task_config_id == task_config.c.id, going)
    return exists().where(*conditions, *(condition(other.c) for condition in more))


_WAITING: Select[Any] = (
    select(
        _c.id,
        func.max(cast(_c.policy, Text)).label("policy"),
        func.count().label("waiting"),
        _going().label("going"),
        _going(lambda other: other.cancel_requested_at.is_(None)).label("unasked"),
    )
    .join(schedule_event, _e.task_config_id == _c.id)
    .where(is_one_of(_e.state, EventState.WAITING))
    .group_by(_c.id, _e.task_config_id)
    .order_by(_e.task_config_id)
)


def _may_turn(row: Row[Any]) -> bool:
    """Say whether a task where fires wait is worth the locks."""
    match overlap_of(row.policy).mode:
        case _ if not row.going:
            return True
        case OverlapMode.WAIT:
            return False
        case OverlapMode.REPLACE:
            return bool(row.unasked) or row.waiting > 1
        case _:
            return True


def _locked_tasks(connection: Connection, ids: Collection[int]) -> dict[int, Overlap]:
    """Lock those of the tasks *ids* that nobody else holds, and return the policies they have now."""
    locking = select(_c.id, cast(_c.policy, Text).label("policy")).where(among(connection, _c.id, ids))
    rows = connection.execute(locking.order_by(_c.id).with_for_update(key_share=True, skip_locked=True))
    return {row.id: overlap_of(row.policy) for row in rows}


def _locked_fires(
    connection: Connection, task_ids: Collection[int], whole: Collection[int]
) -> frozenset[UUID]:
    """Lock the fires that a turn can change, of the tasks *whole* all; return which nobody else holds."""
    changing = or_(is_one_of(_e.state, EventState.WAITING), among(connection, _e.task_config_id, whole))
    locking = select(_e.id).where(
        among(connection, _e.task_config_id, task_ids), is_one_of(_e.state, *LIVE_STATES), changing
    )
    locking = locking.order_by(_e.id).with_for_update(key_share=True, skip_locked=True)
    return frozenset(connection.scalars(locking))


def _live(
    connection: Connection,
    task_ids: Collection[int],
    whole: Collection[int],
    held_by_us: Collection[UUID],
) -> dict[int, list[LiveFire]]:
    """Return the live fires by task. A statement of its own: only it sees what was committed before
    the rows were ours."""
    running = exists().where(_x.schedule_event_id == _e.id, is_one_of(_x.state, ExecutionState.RUNNING))
    rows = connection.execute(
        select(
            _e.id,
            _e.task_config_id,
            _e.kind,
            _e.state,
            _e.fire_at,
            func.coalesce(_e.next_attempt_at, _e.created_at).label("came_at"),
            _e.cancel_requested_at,
            running.label("running"),
        ).where(is_one_of(_e.state, *LIVE_STATES), among(connection, _e.task_config_id, task_ids))
    )
    found: dict[int, list[LiveFire]] = defaultdict(list)
    for row in rows:
        waiting = row.state == EventState.WAITING
        found[row.task_config_id].append(
            LiveFire(
                row.id,
                scheduled=row.kind == EventKind.SCHEDULED,
                waiting=waiting,
                fire_at=row.fire_at,
                came_at=row.came_at,
                running=row.running,
                stopping=row.cancel_requested_at is not None,
                held=row.id not in held_by_us and (waiting or row.task_config_id in whole),
            )
        )
    return found


def _write(connection: Connection, turns: Sequence[Turn]) -> None:
    waiting = is_one_of(_e.state, EventState.WAITING)
    goes = {
        "state": EventState.PENDING.value,
        "reason": None,
        "node_id": None,
        "epoch": _e.epoch + 1,
        "next_attempt_at": None,
    }
    replaced = {"reason": REPLACED, "done_at": db_now(), "epoch": _e.epoch + 1}
    stopped = {"reason": REPLACED, "cancel_requested_at": db_now()}
    _update(connection, [id_ for turn in turns for id_ in turn.goes], goes, waiting)
    cancelled = [id_ for turn in turns for id_ in turn.cancelled]
    _update(connection, cancelled, {"state": EventState.CANCELLED.value, **replaced})
    _update(connection, [id_ for turn in turns for id_ in turn.stopped], stopped)


def _update(connection: Connection, ids: Sequence[UUID], values: Mapping[str, Any], *which: Any) -> None:
    if ids:
        connection.execute(update(schedule_event).where(among(connection, _e.id, ids), *which).values(values))
