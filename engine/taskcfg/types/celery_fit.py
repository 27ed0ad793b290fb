"""Whether the user's Celery app knows a task, and whether its arguments fit."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from taskcfg.types.celery_app import load_app
from taskcfg.types.declare import Misfit

FEW = 15
"""So many tasks at most are listed in a hint."""


def misfits_with_app(params: Mapping[str, Any], app_name: str, root: Path) -> Iterator[Misfit]:
    """Yield what the app finds wrong with *params* of the type `celery`. Raises InvalidSettings.

    A task that the app does not know may be another's where no gate is asked for.
    """
    name = params["task"]
    tasks = load_app(app_name, root).tasks
    if name in tasks:
        yield from _misfitting_arguments(tasks[name], params.get("args", []), params.get("kwargs", {}))
    elif params.get("gate", True):
        known = sorted(each for each in tasks if not each.startswith("celery."))
        near = get_close_matches(name, known, n=1)
        hint = f"did you mean `{near[0]}`?" if near else None
        if hint is None and 0 < len(known) <= FEW:
            hint = f"its tasks are {', '.join(f'`{each}`' for each in known)}"
        yield Misfit(("params", "task"), f"the Celery app `{app_name}` has no such task", hint)


def _misfitting_arguments(task: Any, args: list[Any], kwargs: dict[str, Any]) -> Iterator[Misfit]:
    """Yield what Celery itself would refuse when it is asked to send these; nothing with `typing=False`."""
    body = getattr(task, "_orig_run", task.run)  # what `autoretry_for` has wrapped
    signature = _signature(body)
    if not task.typing or signature is None or _accepts(task, signature, args, kwargs):
        return
    hint = f"it is `{task.name}{signature}`"
    unexpected = _unexpected(signature, kwargs)
    for name, near in unexpected.items():
        meant = f"did you mean `{near}`?" if near else hint
        yield Misfit(("params", "kwargs", name), f"the task has no argument `{name}`", meant)
    rest = {name: value for name, value in kwargs.items() if name not in unexpected}
    try:
        signature.bind(*args, **rest)
    except TypeError as error:
        if not unexpected or "missing" not in str(error):
            yield Misfit(("params",), f"the arguments do not fit the task: {error}", hint)


def _accepts(task: Any, signature: inspect.Signature, args: list[Any], kwargs: dict[str, Any]) -> bool:
    header: Callable[..., Any] = getattr(task, "__header__", None) or signature.bind
    try:
        header(*args, **kwargs)
    except TypeError:
        return False
    return True


def _signature(body: Callable[..., Any]) -> inspect.Signature | None:
    try:
        # As Celery: a decorator's own arguments count, not those of what it wraps.
        signature = inspect.signature(body, follow_wrapped=False)
    except (TypeError, ValueError):
        return None
    plain = [each.replace(annotation=inspect.Parameter.empty) for each in signature.parameters.values()]
    return signature.replace(parameters=plain, return_annotation=inspect.Signature.empty)


def _unexpected(signature: inspect.Signature, kwargs: Mapping[str, Any]) -> dict[str, str | None]:
    """Return the names among *kwargs* that are no argument, each with the nearest that is one."""
    parameters = signature.parameters.values()
    if any(each.kind is inspect.Parameter.VAR_KEYWORD for each in parameters):
        return {}
    by_name = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
    known = [each.name for each in parameters if each.kind in by_name]
    near = {name: get_close_matches(name, known, n=1) for name in kwargs if name not in known}
    return {name: found[0] if found else None for name, found in near.items()}
