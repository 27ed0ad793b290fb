"""Time zones by name."""

from __future__ import annotations

from functools import lru_cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from taskcfg.spec.shown import shown

NOT_A_ZONE = "is not a time zone"
"""What is said of a name that no zone bears: by these words tasks that lack one are found."""

_NOT_IANA = ("Factory", "localtime", "posixrules")


class UnknownZone(ValueError):
    """No zone of that name is in the time zone database: a slip, or it is gone, or the database is."""


@lru_cache(maxsize=1024)
def zone_named(name: str) -> ZoneInfo:
    """Return the zone of that IANA name. Raises UnknownZone when there is none."""
    try:
        if may_be_zone(name):
            return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise UnknownZone(f"{shown(name)} {NOT_A_ZONE}") from error
    raise UnknownZone(f"{shown(name)} {NOT_A_ZONE}")


def may_be_zone(name: str) -> bool:
    """Whether a zone of that name would be IANA's: some systems keep more beside them, with leap
    seconds, or the machine's own."""
    return name not in _NOT_IANA and not name.startswith(("posix/", "right/"))
