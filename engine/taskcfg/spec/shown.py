"""Values as messages name them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

LATER = "not supported by this version of taskcfg"


def shown(value: Any) -> str:
    """Return *value* as a message names it: quoted and short, or in a word what it is."""
    match value:
        case None:
            return "nothing"
        case bool():
            return f"`{str(value).lower()}`"
        case Mapping():
            return "a mapping"
        case list() | tuple():
            return "a list"
        case _:
            text = " ".join(str(value).split())
            return f"`{text if len(text) <= 60 else text[:57] + '...'}`"
