"""Ids that sort by the time they were made."""

from __future__ import annotations

import os
from datetime import datetime, timedelta
from uuid import UUID

from taskcfg.clock import SystemClock
from taskcfg.store.columns import EPOCH

_CLOCK = SystemClock()
_MICROSECOND = timedelta(microseconds=1)


def new_id(now: datetime | None = None) -> UUID:
    """Return a UUIDv7 of *now* (this machine's time without it): ids of later instants sort later.

    The instant is kept to about a quarter of a microsecond, the rest is random.
    """
    random = int.from_bytes(os.urandom(8)) & 0x3FFF_FFFF_FFFF_FFFF
    return UUID(int=_at(now or _CLOCK.now()) | random)


def first_id(instant: datetime) -> UUID:
    """Return the least id that `new_id` can give at *instant*."""
    return UUID(int=_at(instant))


def _at(instant: datetime) -> int:
    milliseconds, microseconds = divmod((instant - EPOCH) // _MICROSECOND, 1000)
    return milliseconds << 80 | 0x7 << 76 | (microseconds * 4096 // 1000) << 64 | 0b10 << 62
