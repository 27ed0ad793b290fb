"""The time zone database changes under a scheduler that runs: governments decide late."""

from __future__ import annotations

import logging
from collections.abc import Callable

from taskcfg.source.zone_data import is_newer, zone_database
from taskcfg.spec.times.zones import forget_zones
from taskcfg.store import rezoning
from taskcfg.store.database import Engine

logger = logging.getLogger("taskcfg.zones")

EVERY = 60.0


class Zones:
    """Works out the fire times anew when this machine has a newer time zone database than they came from.

    Of several nodes with different ones only the newest does; where they have no order, each once.
    """

    def __init__(self, database: Engine, version: Callable[[], str | None] = zone_database) -> None:
        self._database = database
        self._version = version
        self._seen: str | None = None
        self._told: str | None = None

    def run_once(self) -> float:
        """Look once; return the seconds until the next look. Raises DatabaseUnavailable."""
        version = self._here()
        if version is None:
            return EVERY
        changed_here = version != self._seen
        if changed_here and self._seen is not None:
            rezoning.record_what_passed(self._database)
            forget_zones()
        known = rezoning.known_zone_database(self._database)
        if known is None:
            rezoning.note_zone_database(self._database, version)
        elif known != version:
            self._differs(known, version, changed_here)
        self._seen = version
        return EVERY

    def _here(self) -> str | None:
        try:
            return self._version()
        except OSError as error:
            logger.warning("tz_database.unreadable reason=%r", str(error))
            return None

    def _differs(self, known: str, version: str, changed_here: bool) -> None:
        newer = is_newer(version, known)
        if newer or (newer is None and changed_here):
            found = rezoning.recompute_times(self._database)
            rezoning.note_zone_database(self._database, version)
            logger.warning(
                "tz_database.changed from=%s to=%s moved=%d gone=%d", known, version, found.moved, found.gone
            )
        elif newer is False and self._told != known:
            self._told = known
            logger.warning(
                "tz_database.older here=%s newest=%s: update tzdata on this machine", version, known
            )
