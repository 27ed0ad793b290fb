"""Any node has fires that wait for their turn go out when what they wait for has ended."""

from __future__ import annotations

import logging

from taskcfg.store.database import Engine
from taskcfg.store.turns import take_turns

logger = logging.getLogger("taskcfg.turns")

EVERY = 1.0
HELD_ELSEWHERE = 0.05
"""Seconds until rows that somebody else was at are looked at again."""


class Turns:
    """Looks for fires whose turn has come. Without a lease: of several nodes, whoever is first does it."""

    def __init__(self, database: Engine) -> None:
        self._database = database

    def run_once(self) -> float:
        """Take the turns that have come; return the seconds until the next look."""
        turned = take_turns(self._database)
        if turned.cancelled or turned.stopping:
            logger.info("fires.replaced cancelled=%d stopping=%d", turned.cancelled, turned.stopping)
        return HELD_ELSEWHERE if turned.again else EVERY
