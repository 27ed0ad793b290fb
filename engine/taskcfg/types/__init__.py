"""What tasks can be: the decorator, the parameters' base class, the registry, and the types that ship.

The names are imported when they are first used: the registry alone does not need Pydantic's models.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from taskcfg.types.fire import Fire as Fire
    from taskcfg.types.params import Params as Params
    from taskcfg.types.registry import task_type as task_type

_FILES = {"Fire": "fire", "Params": "params", "task_type": "registry"}


def __getattr__(name: str) -> Any:
    if name not in _FILES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_FILES[name]}"), name)
