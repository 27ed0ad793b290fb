"""The queues that the live tasks name: what a worker without a list of its own serves."""

from __future__ import annotations

from sqlalchemy import Engine, select

from taskcfg.store.database import reading
from taskcfg.store.tables import task_config

_c = task_config.c


def queues_of_live_tasks(database: Engine) -> frozenset[str]:
    """Return every queue that a task which is not retired names. Raises DatabaseUnavailable."""
    with reading(database) as connection:
        named = select(_c.queue).where(_c.retired_at.is_(None), _c.queue.is_not(None)).distinct()
        return frozenset(connection.scalars(named))
