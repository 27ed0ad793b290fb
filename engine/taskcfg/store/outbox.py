"""The recorded fires that are still to be published, as one node sees them."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, assert_never
from uuid import UUID

from sqlalchemy import (
    ColumnElement,
    Connection,
    Engine,
    Row,
    Select,
    and_,
    case,
    exists,
    func,
    literal,
    or_,
    select,
    update,
)

from taskcfg.failpoints import failpoint
from taskcfg.spec.fires import Confirmed, EventState, Outgoing, Receipt, Unconfirmed, Unroutable, Unsendable
from taskcfg.store.bulk import among, update_rows
from taskcfg.store.columns import db_now, db_shift, is_one_of
from taskcfg.store.database import database_time, reading, writing
from taskcfg.store.hints import notify
from taskcfg.store.nodes import is_alive
from taskcfg.store.postgres import FIRING
from taskcfg.store.tables import node, schedule_event, task_config
from taskcfg.store.text import storable
from taskcfg.store.trust import UNWATCHED, Timekeeper, Untimely, deciding

EXPIRED = "expired: not started in time"

UNROUTABLE_BACKOFF = 60
UNCONFIRMED_BACKOFF = 5
"""Seconds a fire that could not be published waits at most; the wait begins at 1 s and doubles. The
second is short, since the relay leaves a broker that is away alone by itself."""

UNHELD_AFTER = timedelta(seconds=5)
"""How long a node's own fire may be on its way from the firing pass to the relay's memory."""

_e = schedule_event.c


class EventOutbox:
    """Claims and settles fires for one node; several may share a database."""

    def __init__(self, database: Engine, node_id: UUID, timekeeper: Timekeeper = UNWATCHED) -> None:
        self._database = database
        self._node_id = node_id
        self._timekeeper = timekeeper

    def claim(self, limit: int, *, held: Collection[UUID]) -> list[Outgoing]:
        """Take over at most *limit* pending fires whose time has come, each under a new epoch.

        Takes what nobody owns, what a dead node owned, and what this node owns but does not
        hold in memory (*held*). A fire past its `expires` becomes `expired` instead. Nothing is
        taken while the database's clock is not to be trusted. Raises DatabaseUnavailable.
        """
        if self._database.dialect.name == "sqlite":
            # Looking takes no lock, and mostly there is nothing.
            with reading(self._database) as connection:
                if not self._found(connection, limit, held):
                    return []
        try:
            with deciding(self._database, self._timekeeper, FIRING) as connection:
                found = self._found(connection, limit, held)
                expired = [row.id for row in found if row.expired]
                expire(connection, expired)
                taken = self._taken(connection, [row for row in found if not row.expired])
                failpoint("outbox.before_claimed")
                return taken
        except Untimely:
            return []

    def record(self, receipts: Sequence[tuple[Outgoing, Receipt]]) -> None:
        """Write down what became of *receipts*' fires; a receipt of an older epoch changes nothing.

        Raises DatabaseUnavailable; recording the same receipts again is harmless.
        """
        if not receipts:
            return
        settled = _Settled()
        for fire, receipt in receipts:
            settled.add(fire, receipt)
        with writing(self._database) as connection:
            settled.write(connection)
            failpoint("outbox.before_recorded")

    def unpublished(self) -> tuple[int, str | None]:
        """Return how many due fires could not be published, and the reason of one of them.

        They are this node's, and what no living node owns and somebody has tried to publish.
        """
        with reading(self._database) as connection:
            now = database_time(connection)
            tried = and_(_e.publish_attempts > 0, _orphaned(now))
            mine = (_e.fire_at <= now, or_(_e.node_id == self._node_id, tried))
            query = select(func.count(), func.min(_e.reason)).where(
                is_one_of(_e.state, EventState.PENDING), *mine
            )
            number, reason = connection.execute(query).one()
        return number, reason

    def _found(self, connection: Connection, limit: int, held: Collection[UUID]) -> list[Row[Any]]:
        now = database_time(connection)
        found = list(connection.execute(_claimable(now, _orphaned(now)).limit(limit)))
        if len(found) < limit:
            mine = _claimable(now, self._forgotten(now)).limit(limit + len(held))
            unheld = [row for row in connection.execute(mine) if row.id not in held]
            found += unheld[: limit - len(found)]
        return found

    def _forgotten(self, now: datetime) -> ColumnElement[bool]:
        on_its_way = and_(_e.epoch == 0, _e.publish_attempts == 0, _e.created_at > now - UNHELD_AFTER)
        return and_(_e.node_id == self._node_id, ~on_its_way)

    def _taken(self, connection: Connection, rows: Sequence[Row[Any]]) -> list[Outgoing]:
        if not rows:
            return []
        connection.execute(
            update(schedule_event)
            .where(among(connection, _e.id, [row.id for row in rows]))
            .values(node_id=self._node_id, epoch=_e.epoch + 1)
        )
        return [
            Outgoing(row.id, row.celery_id, row.epoch + 1, row.dispatch_no, row.name, row.message or {})
            for row in rows
        ]


def expire(connection: Connection, ids: Collection[UUID]) -> None:
    """Drop fires that nobody started in time; one that waits for its turn may have it then."""
    if ids:
        connection.execute(
            update(schedule_event)
            .where(among(connection, _e.id, ids))
            .values(state=EventState.EXPIRED, reason=EXPIRED, done_at=db_now())
        )
        notify(connection)


def has_expired(now: datetime | ColumnElement[datetime]) -> ColumnElement[bool]:
    """Return the condition that a fire is past its `expires` and was never started."""
    return and_(_e.attempts == 0, _e.expires_at.is_not(None), _e.expires_at <= now)


def _claimable(now: datetime, whose: ColumnElement[bool]) -> Select[Any]:
    return (
        select(
            _e.id,
            _e.celery_id,
            _e.epoch,
            _e.dispatch_no,
            _e.message,
            task_config.c.name,
            has_expired(now).label("expired"),
        )
        .join(task_config, task_config.c.id == _e.task_config_id)
        .where(
            is_one_of(_e.state, EventState.PENDING),
            _e.fire_at <= now,
            or_(_e.next_attempt_at.is_(None), _e.next_attempt_at <= now),
            whose,
        )
        .order_by(_e.fire_at, _e.id)
        .with_for_update(of=schedule_event, key_share=True, skip_locked=True)
    )


def _orphaned(now: datetime) -> ColumnElement[bool]:
    alive = exists().where(node.c.id == _e.node_id, is_alive(now))
    return or_(_e.node_id.is_(None), ~alive)


@dataclass(slots=True)
class _Settled:
    """Receipts by what they do to their fires."""

    published: list[dict[str, Any]] = field(default_factory=list)
    ungated: list[dict[str, Any]] = field(default_factory=list)
    dead: list[dict[str, Any]] = field(default_factory=list)
    unroutable: list[dict[str, Any]] = field(default_factory=list)
    unconfirmed: list[dict[str, Any]] = field(default_factory=list)

    def add(self, fire: Outgoing, receipt: Receipt) -> None:
        row: dict[str, Any] = {"id": fire.event_id, "epoch": fire.epoch, "dispatch_no": fire.dispatch_no}
        match receipt:
            case Confirmed():
                gated = fire.message.get("gate", True)
                (self.published if gated else self.ungated).append(row)
            case Unsendable(reason):
                self.dead.append({**row, "reason": storable(reason, longest=1_000)})
            case Unroutable(reason):
                self.unroutable.append({**row, "reason": storable(reason, longest=1_000)})
            case Unconfirmed(reason):
                self.unconfirmed.append({**row, "reason": storable(reason, longest=1_000)})
            case _:
                assert_never(receipt)

    def write(self, connection: Connection) -> None:
        now = database_time(connection)
        rows = [*self.published, *self.ungated, *self.dead, *self.unroutable, *self.unconfirmed]
        # In order of id, as everybody who takes several: two transactions never wait for each other.
        ids = among(connection, _e.id, [row["id"] for row in rows])
        locking = select(literal(1)).select_from(schedule_event).where(ids).order_by(_e.id)
        connection.execute(locking.with_for_update(key_share=True)).close()
        # The count of tries begins anew with the first success; the reaper counts on from there.
        tries = case((_e.published_at.is_(None), 0), else_=_e.publish_attempts)
        published = {
            "state": EventState.PUBLISHED.value,
            "published_at": now,
            "reason": None,
            "publish_attempts": tries,
        }
        _update(connection, self.published, published)
        done = {"state": EventState.DONE.value, "done_at": now}
        _update(connection, self.ungated, {**published, **done})
        _update(connection, self.dead, {"state": EventState.DEAD.value, "done_at": now})
        if self.dead:
            notify(connection)
        _update(connection, self.unroutable, _later(UNROUTABLE_BACKOFF))
        _update(connection, self.unconfirmed, _later(UNCONFIRMED_BACKOFF))


def _later(longest: int) -> dict[str, Any]:
    doubled = case((_e.publish_attempts >= 6, 64), else_=literal(1).bitwise_lshift(_e.publish_attempts))
    return {
        "publish_attempts": _e.publish_attempts + 1,
        "next_attempt_at": db_shift(db_now(), case((doubled > longest, longest), else_=doubled)),
    }


def _update(connection: Connection, rows: Sequence[dict[str, Any]], values: dict[str, Any]) -> None:
    update_rows(
        connection,
        schedule_event,
        rows,
        match=("id", "epoch", "dispatch_no"),
        where=is_one_of(_e.state, EventState.PENDING),
        shared=values,
    )
