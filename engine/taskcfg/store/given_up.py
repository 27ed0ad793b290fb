"""Attempts that were closed as lost while they ran on: what their worker learns of it."""

from __future__ import annotations

from collections.abc import Collection
from uuid import UUID

from sqlalchemy import Connection, Engine, select, update

from taskcfg.spec.fires import ExecutionState, Outcome
from taskcfg.store.bulk import among
from taskcfg.store.columns import is_one_of
from taskcfg.store.database import reading
from taskcfg.store.tables import task_execution
from taskcfg.store.text import storable

GOING_ON = "; its body went on"

_x = task_execution.c


def given_up(database: Engine, boot_id: UUID, fires: Collection[UUID]) -> list[UUID]:
    """Return the Celery ids of the attempts at *fires* in this life of a worker that stand as lost.

    Raises DatabaseUnavailable.
    """
    if not fires:
        return []
    with reading(database) as connection:
        return list(
            connection.scalars(
                select(_x.celery_id).where(
                    among(connection, _x.schedule_event_id, fires),
                    _x.boot_id == boot_id,
                    is_one_of(_x.state, ExecutionState.LOST),
                )
            )
        )


def note_late_end(connection: Connection, execution_id: UUID, outcome: Outcome) -> ExecutionState | None:
    """Return how an attempt stands that somebody else closed.

    That the body of one that was given up for lost went on is added to its error.
    """
    row = connection.execute(select(_x.state, _x.error).where(_x.id == execution_id)).one_or_none()
    if row is None:
        return None
    standing = ExecutionState(row.state)
    if standing is ExecutionState.LOST and GOING_ON not in (row.error or ""):
        stopped = outcome.state is ExecutionState.TIMED_OUT
        end = "and was stopped" if stopped else f"and ended as {outcome.state.value}"
        error = storable(f"{row.error or 'lost'}{GOING_ON}, {end}")
        connection.execute(update(task_execution).where(_x.id == execution_id).values(error=error))
    return standing
