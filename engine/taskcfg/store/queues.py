"""The queues that the live tasks name: what a worker without a list of its own serves."""

from __future__ import annotations

from sqlalchemy import Engine, Text, cast, select

from taskcfg.spec.fires import celery_task_name, is_gated
from taskcfg.store.database import reading
from taskcfg.store.spec_columns import UNREADABLE, policy_of
from taskcfg.store.tables import task_config

_c = task_config.c

_MAYBE_UNGATED = (_c.type == "celery") & cast(_c.params, Text).contains('"gate"')


def queues_of_live_tasks(database: Engine) -> frozenset[str]:
    """Return every queue that a task which is not retired names, unless its workers are not taskcfg's.

    Raises DatabaseUnavailable.
    """
    named = _c.retired_at.is_(None) & _c.queue.is_not(None)
    with reading(database) as connection:
        queues = set(connection.scalars(select(_c.queue).where(named, ~_MAYBE_UNGATED).distinct()))
        maybe = connection.execute(select(_c.queue, _c.type, _c.params).where(named, _MAYBE_UNGATED))
        return frozenset(queues | {row.queue for row in maybe if is_gated(row.type, row.params)})


def longest_timeout(database: Engine) -> float:
    """Return the longest `timeout` of the live tasks in seconds, else 0. Raises DatabaseUnavailable."""
    with reading(database) as connection:
        live = select(cast(_c.policy, Text)).where(_c.retired_at.is_(None)).distinct()
        policies = [*connection.scalars(live)]
    return max((seconds for text in policies if (seconds := _timeout(text))), default=0.0)


def _timeout(policy: str) -> float:
    try:
        timeout = policy_of(policy).timeout
    except UNREADABLE:
        return 0.0
    return 0.0 if timeout is None else timeout.total_seconds()


def celery_tasks_without_queue(database: Engine) -> frozenset[str]:
    """Return the names of the Celery tasks whose fires go wherever the app's routing sends them.

    Of live tasks; those of foreign workers are left out. Raises DatabaseUnavailable.
    """
    unnamed = _c.retired_at.is_(None) & _c.queue.is_(None)
    theirs = _c.type == "celery"
    with reading(database) as connection:
        types = connection.scalars(select(_c.type).where(unnamed, ~theirs).distinct())
        names = {celery_task_name(type_name) for type_name in types}
        task = _c.params["task"].as_string()
        names |= set(connection.scalars(select(task).where(unnamed, theirs, ~_MAYBE_UNGATED).distinct()))
        maybe = connection.execute(select(_c.type, _c.params).where(unnamed, _MAYBE_UNGATED))
        return frozenset(names | {row.params["task"] for row in maybe if is_gated(row.type, row.params)})
