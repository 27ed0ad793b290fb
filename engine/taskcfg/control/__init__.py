"""What the command line, the REST API and a user's own code call."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from taskcfg.control.project import Taskcfg as Taskcfg

__all__ = ["Taskcfg"]


def __getattr__(name: str) -> Any:
    if name == "Taskcfg":
        from taskcfg.control.project import Taskcfg

        return Taskcfg
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
