"""Time zones by name."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import ParamSpec, TypeVar
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from taskcfg.spec.shown import shown

NOT_A_ZONE = "is not a time zone"
"""What is said of a name that no zone bears: by these words tasks that lack one are found."""

_NOT_IANA = ("Factory", "localtime", "posixrules")


_Asked = ParamSpec("_Asked")
_Answer = TypeVar("_Answer")
_forget: list[Callable[[], None]] = []


def until_zones_change(most: int) -> Callable[[Callable[_Asked, _Answer]], Callable[_Asked, _Answer]]:
    """Have a function remember its latest *most* answers until `forget_zones`: zones are in them."""

    def remembering(function: Callable[_Asked, _Answer]) -> Callable[_Asked, _Answer]:
        cached = lru_cache(maxsize=most)(function)
        _forget.append(cached.cache_clear)
        return cached  # type: ignore[return-value]  # it takes what the function takes

    return remembering


def forget_zones() -> None:
    """Read the time zone database anew from now on: it may have changed."""
    for forget in _forget:
        forget()
    ZoneInfo.clear_cache()


class UnknownZone(ValueError):
    """No zone of that name is in the time zone database: a slip, or it is gone, or the database is."""


@until_zones_change(1024)
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
