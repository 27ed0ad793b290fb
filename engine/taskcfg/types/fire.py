"""What a type's function is told about the fire it runs for."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID


@dataclass(frozen=True, slots=True)
class Fire:
    """One attempt of one fire.

    `id` names the fire, and `celery_id` this sending of it; both stay the same when the broker
    delivers twice. `task` is the task's name. `kind` is `scheduled`, `manual` or `backfill`.
    `nominal_at` is the instant the schedule gave and `fire_at` when it was dispatched, both in
    UTC. `attempt` counts from 1. `logger` writes to the worker's log.
    """

    id: UUID
    task: str
    kind: str
    nominal_at: datetime
    fire_at: datetime
    attempt: int
    celery_id: UUID
    labels: Mapping[str, str] = field(default_factory=dict)
    logger: logging.Logger = field(default_factory=lambda: logging.getLogger("taskcfg.task"), compare=False)
