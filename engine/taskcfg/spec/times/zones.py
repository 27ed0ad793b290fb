"""Time zones by name."""

from __future__ import annotations

from functools import lru_cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from taskcfg.spec.shown import shown

_NOT_IANA = ("Factory", "localtime", "posixrules")


@lru_cache(maxsize=1024)
def zone_named(name: str) -> ZoneInfo:
    """Return the zone of that IANA name. Raises ValueError when there is none."""
    try:
        if may_be_zone(name):
            return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise ValueError(f"{shown(name)} is not a time zone") from error
    raise ValueError(f"{shown(name)} is not a time zone")


def may_be_zone(name: str) -> bool:
    """Whether a zone of that name would be IANA's: some systems keep more beside them, with leap
    seconds, or the machine's own."""
    return name not in _NOT_IANA and not name.startswith(("posix/", "right/"))
