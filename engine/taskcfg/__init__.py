"""taskcfg: a declarative, config-as-code scheduler.

The public names are imported when they are first used, so that `import taskcfg` costs nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from taskcfg.control import Taskcfg as Taskcfg
    from taskcfg.errors import AlreadyRunning as AlreadyRunning
    from taskcfg.errors import ApprovalNeeded as ApprovalNeeded
    from taskcfg.errors import BrokerUnavailable as BrokerUnavailable
    from taskcfg.errors import DatabaseUnavailable as DatabaseUnavailable
    from taskcfg.errors import FireNotReady as FireNotReady
    from taskcfg.errors import InvalidParams as InvalidParams
    from taskcfg.errors import InvalidPause as InvalidPause
    from taskcfg.errors import InvalidPlanFile as InvalidPlanFile
    from taskcfg.errors import InvalidSettings as InvalidSettings
    from taskcfg.errors import InvalidTaskFiles as InvalidTaskFiles
    from taskcfg.errors import InvalidType as InvalidType
    from taskcfg.errors import LockTimeout as LockTimeout
    from taskcfg.errors import NameTaken as NameTaken
    from taskcfg.errors import NoTaskMatches as NoTaskMatches
    from taskcfg.errors import Overtaken as Overtaken
    from taskcfg.errors import RetiredTask as RetiredTask
    from taskcfg.errors import SchemaInUse as SchemaInUse
    from taskcfg.errors import SchemaMismatch as SchemaMismatch
    from taskcfg.errors import SecretUnavailable as SecretUnavailable
    from taskcfg.errors import StalePlan as StalePlan
    from taskcfg.errors import SyncUnanswered as SyncUnanswered
    from taskcfg.errors import TaskcfgError as TaskcfgError
    from taskcfg.errors import UnknownEnvironment as UnknownEnvironment
    from taskcfg.errors import UnknownFire as UnknownFire
    from taskcfg.errors import UnknownRevision as UnknownRevision
    from taskcfg.errors import UnknownSource as UnknownSource
    from taskcfg.errors import UnknownTask as UnknownTask
    from taskcfg.errors import UnknownType as UnknownType
    from taskcfg.errors import UnreachableRepository as UnreachableRepository
    from taskcfg.errors import UnreadableSource as UnreadableSource
    from taskcfg.errors import UnsafePlan as UnsafePlan
    from taskcfg.errors import WrongEnvironment as WrongEnvironment
    from taskcfg.reconcile.guard import Limits as Limits
    from taskcfg.types import Fire as Fire
    from taskcfg.types import Params as Params
    from taskcfg.types import task_type as task_type

_ROOMS = {
    "Taskcfg": "taskcfg.control",
    "Fire": "taskcfg.types",
    "Limits": "taskcfg.reconcile.guard",
    "Params": "taskcfg.types",
    "task_type": "taskcfg.types",
    **dict.fromkeys(
        (
            "AlreadyRunning",
            "ApprovalNeeded",
            "BrokerUnavailable",
            "DatabaseUnavailable",
            "FireNotReady",
            "InvalidParams",
            "InvalidPause",
            "InvalidPlanFile",
            "InvalidSettings",
            "InvalidSnapshot",
            "InvalidTaskFiles",
            "InvalidType",
            "LockTimeout",
            "NameTaken",
            "NoTaskMatches",
            "Overtaken",
            "RetiredTask",
            "SchemaInUse",
            "SchemaMismatch",
            "SecretUnavailable",
            "StalePlan",
            "SyncUnanswered",
            "TaskcfgError",
            "UnknownEnvironment",
            "UnknownFire",
            "UnknownRevision",
            "UnknownSource",
            "UnknownTask",
            "UnknownType",
            "UnreachableRepository",
            "UnreadableSource",
            "UnsafePlan",
            "WrongEnvironment",
        ),
        "taskcfg.errors",
    ),
}


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from importlib.metadata import version

        return version("taskcfg")
    if name not in _ROOMS:
        raise AttributeError(f"module 'taskcfg' has no attribute {name!r}")
    value = getattr(import_module(_ROOMS[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_ROOMS, "__version__"})
