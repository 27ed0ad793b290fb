"""The user's own Celery app: found as `celery -A` finds it, with its tasks as its workers know them."""

from __future__ import annotations

import sys
from contextlib import redirect_stdout
from functools import lru_cache
from pathlib import Path
from typing import Any

from celery import Celery
from celery.app.utils import find_app

from taskcfg.errors import InvalidSettings
from taskcfg.types.importing import place

_LIBRARIES = ("celery", "kombu", "importlib", "taskcfg.types")


@lru_cache
def load_app(name: str, root: Path) -> Celery:
    """Return the app that `celery -A NAME` would run in the folder *root*, every task of it registered.

    Imports what its workers import: `include`, `imports`, `autodiscover_tasks`. Raises InvalidSettings,
    naming the module, the reason and the place, when there is none or it cannot be imported.
    """
    if str(root) not in sys.path:
        sys.path.insert(0, str(root))
    try:
        # What a module prints while it is imported must not mix with a command's result.
        with redirect_stdout(sys.stderr):
            found = find_app(name)
            if isinstance(found, Celery):
                found.loader.import_default_modules()
                found.finalize()
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # a user's module can raise anything
        raise _refusal(name, error, root) from error
    if not isinstance(found, Celery):
        raise InvalidSettings(
            f"celery_app: `{name}` is no Celery app, but of type `{type(found).__name__}`",
            hint="name it as `module:attribute`, as for `celery -A`",
        )
    return found


def _refusal(name: str, error: BaseException, root: Path) -> InvalidSettings:
    module, _, attribute = name.partition(":")
    if isinstance(error, ModuleNotFoundError) and _is_part_of(error.name, module):
        return InvalidSettings(
            f"celery_app: no module is named `{error.name}`",
            hint=f"it is looked for in {root}, as `celery -A {name}` does there: check its spelling",
        )
    absent = isinstance(error, ModuleNotFoundError) and error.name == name  # Celery took it for a module
    if absent or (isinstance(error, AttributeError | ValueError) and _raised_by_libraries(error)):
        missing = f"has no `{attribute}`" if attribute else "holds no Celery app"
        return InvalidSettings(
            f"celery_app: the module `{module}` {missing}",
            hint="name the app as `module:attribute`, as for `celery -A`",
        )
    return InvalidSettings(
        f"celery_app: `{name}` cannot be imported: {type(error).__name__}: {error} ({place(error, root)})",
        hint="mend the module: `celery -A` cannot import it either",
    )


def _is_part_of(missing: str | None, module: str) -> bool:
    return missing is not None and (module == missing or module.startswith(f"{missing}."))


def _raised_by_libraries(error: BaseException) -> bool:
    """Say whether no line of the user's took part: then it is the name that leads nowhere."""
    frame: Any = error.__traceback__
    while frame is not None:
        if not frame.tb_frame.f_globals.get("__name__", "").startswith(_LIBRARIES):
            return False
        frame = frame.tb_next
    return True
