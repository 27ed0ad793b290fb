"""The usual start and the usual end of an attempt, each in one statement: one round trip, one commit.

PostgreSQL only. What is not usual changes nothing here and is left to the transactions of `starting` and
`closing`, which know every case. The fire's row is locked first, as by everybody.
"""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import Connection, Integer, Text, Uuid, bindparam, text

from taskcfg.spec.fires import Dispatched, EventKind, Outcome, Started
from taskcfg.store.columns import FrozenDocument, Instant
from taskcfg.store.spec_columns import labels_of
from taskcfg.store.text import storable, storable_result

_START = (
    text("""
WITH fire AS (
    SELECT e.id, e.task_config_id, e.kind, e.nominal_at, e.fire_at, t.name, t.type, t.labels::text AS labels,
           e.attempts + 1 AS attempt, e.published_at, (e.message ->> 'time_limit')::float AS time_limit
    FROM schedule_event AS e JOIN task_config AS t ON t.id = e.task_config_id
    WHERE e.id = :fire AND e.dispatch_no = :dispatch_no AND e.celery_id = :celery_id
      AND e.state IN ('pending', 'published') AND e.cancel_requested_at IS NULL AND t.retired_at IS NULL
      AND NOT (e.attempts = 0 AND e.expires_at IS NOT NULL AND e.expires_at <= now())
    FOR NO KEY UPDATE OF e
), started AS (
    INSERT INTO task_execution (id, task_config_id, schedule_event_id, dispatch_no, celery_retry, attempt,
                                celery_id, state, worker, boot_id, queued_at, started_at, deadline_at)
    SELECT :execution, task_config_id, id, :dispatch_no, :celery_retry, attempt, :celery_id, 'running',
           :worker, :boot_id, published_at, now(), now() + make_interval(secs => time_limit)
    FROM fire
    ON CONFLICT DO NOTHING
    RETURNING schedule_event_id
), noted AS (
    UPDATE schedule_event AS e
    SET state = 'published', published_at = coalesce(e.published_at, now()), attempts = e.attempts + 1,
        reason = NULL
    FROM started WHERE e.id = started.schedule_event_id
)
SELECT fire.kind, fire.nominal_at, fire.fire_at, fire.name, fire.type, fire.labels, fire.attempt
FROM fire JOIN started ON started.schedule_event_id = fire.id
""")
    .bindparams(
        bindparam("fire", type_=Uuid),
        bindparam("dispatch_no", type_=Integer),
        bindparam("celery_id", type_=Uuid),
        bindparam("execution", type_=Uuid),
        bindparam("celery_retry", type_=Integer),
        bindparam("worker", type_=Text),
        bindparam("boot_id", type_=Uuid),
    )
    .columns(
        kind=Text, nominal_at=Instant, fire_at=Instant, name=Text, type=Text, labels=Text, attempt=Integer
    )
)

_SUCCEED = text("""
WITH fire AS (
    SELECT e.id FROM task_execution AS x
    JOIN schedule_event AS e ON e.id = x.schedule_event_id
    JOIN task_config AS t ON t.id = e.task_config_id
    WHERE x.id = :execution AND x.state = 'running' AND x.dispatch_no = e.dispatch_no
      AND e.state IN ('pending', 'published') AND t.policy ->> 'overlap' IN ('skip', 'allow')
    FOR NO KEY UPDATE OF e
), closed AS (
    UPDATE task_execution AS x
    SET state = 'succeeded', finished_at = greatest(now(), started_at), result = :result
    FROM fire WHERE x.id = :execution AND x.state = 'running'
    RETURNING x.schedule_event_id
)
UPDATE schedule_event AS e SET state = 'done', reason = NULL, done_at = now()
FROM closed WHERE e.id = closed.schedule_event_id
""").bindparams(bindparam("execution", type_=Uuid), bindparam("result", type_=FrozenDocument))


def start_at_once(connection: Connection, dispatched: Dispatched, execution_id: UUID) -> Started | None:
    """Record the attempt as running under *execution_id*; None, with nothing changed, where it may not
    run, or where that takes a closer look."""
    values = {
        "fire": dispatched.event_id,
        "dispatch_no": dispatched.dispatch_no,
        "celery_id": dispatched.celery_id,
        "execution": execution_id,
        "celery_retry": dispatched.celery_retry,
        "worker": storable(dispatched.worker, longest=200),
        "boot_id": dispatched.boot_id,
    }
    row = connection.execute(_START, values).one_or_none()
    if row is None:
        return None
    kind, nominal_at, fire_at, name, type_, labels, attempt = row
    return Started(
        execution_id=execution_id,
        event_id=dispatched.event_id,
        task=name,
        type=type_,
        kind=EventKind(kind),
        nominal_at=nominal_at,
        fire_at=fire_at,
        attempt=attempt,
        labels=labels_of(labels),
    )


def succeed_at_once(connection: Connection, execution_id: UUID, outcome: Outcome) -> bool:
    """Close a running execution that succeeded, and its fire as done. False, with nothing changed, where
    it is not running any more, or where somebody may have waited for it to end."""
    values = {"execution": execution_id, "result": storable_result(outcome.result)}
    return bool(connection.execute(_SUCCEED, values).rowcount)
