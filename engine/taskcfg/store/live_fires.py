"""How many fires of a task are live: counted under its row lock, which whoever adds one holds."""

from __future__ import annotations

from collections.abc import Collection

from sqlalchemy import Connection, and_, case, func, select

from taskcfg.spec.fires import LIVE_STATES, EventKind, EventState
from taskcfg.spec.overlap import Live
from taskcfg.spec.policy import Overlap, OverlapMode, Policy
from taskcfg.store.bulk import among
from taskcfg.store.columns import is_one_of
from taskcfg.store.spec_columns import UNREADABLE, policy_of
from taskcfg.store.tables import schedule_event

_e = schedule_event.c
_waits = is_one_of(_e.state, EventState.WAITING)
_scheduled = and_(_waits, is_one_of(_e.kind, EventKind.SCHEDULED))
_COUNTED = select(
    _e.task_config_id,
    func.sum(case((_waits, 0), else_=1)),
    func.sum(case((_waits, 1), else_=0)),
    func.sum(case((_scheduled, 1), else_=0)),
).where(is_one_of(_e.state, *LIVE_STATES))


def live_fires(connection: Connection, task_ids: Collection[int]) -> dict[int, Live]:
    """Return the live fires of the tasks *task_ids* that have any, by the task's id."""
    if not task_ids:
        return {}
    counted = _COUNTED.where(among(connection, _e.task_config_id, task_ids)).group_by(_e.task_config_id)
    return {row[0]: Live(*row[1:]) for row in connection.execute(counted)}


def counts(overlap: Overlap) -> bool:
    """Say whether *overlap* asks how many fires are live."""
    return overlap.mode is not OverlapMode.ALLOW or overlap.limit is not None


def overlap_of(policy: str) -> Overlap:
    """Return what the policy column's text says of overlap, the default where somebody spoiled it."""
    try:
        return policy_of(policy).overlap
    except UNREADABLE:
        return Policy().overlap
