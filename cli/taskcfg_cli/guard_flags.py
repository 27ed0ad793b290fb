"""The flags that say yes to what a guard refuses."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import TYPE_CHECKING, Any, TypeVar, cast

import click

from taskcfg_cli import completion

if TYPE_CHECKING:
    from taskcfg.reconcile.guard import Limits

F = TypeVar("F", bound=Callable[..., Any])

ADOPT = click.option(
    "--adopt",
    multiple=True,
    metavar="NAME",
    shell_complete=completion.task_names,
    help="Take this task over from the source that has it; may be given again.",
)

_FLAGS = (
    click.option("--allow-empty", is_flag=True, help="Go on when the files declare no task at all."),
    click.option(
        "--max-delete",
        type=click.IntRange(0),
        metavar="N",
        help="How many tasks may be deleted (default: 3, or a fifth of the source's tasks).",
    ),
    click.option(
        "--ignore-protect",
        multiple=True,
        metavar="NAME",
        shell_complete=completion.task_names,
        help="Delete this task though it is protected; may be given again.",
    ),
    ADOPT,
    click.option(
        "--adopt-source", is_flag=True, help="Go on when the files come from another place than before."
    ),
)


def guards(command: F) -> F:
    """Add the flags; the command gets what they say as `limits`."""

    @wraps(command)
    def guarded(*args: Any, **values: Any) -> Any:
        limits = _limits(values)
        return command(*args, limits=limits, **values)

    decorated: Any = guarded
    for flag in reversed(_FLAGS):
        decorated = flag(decorated)
    return cast(F, decorated)


def _limits(values: dict[str, Any]) -> Limits:
    from taskcfg.reconcile.guard import Limits

    return Limits(
        max_delete=values.pop("max_delete"),
        allow_empty=values.pop("allow_empty"),
        ignore_protect=frozenset(values.pop("ignore_protect")),
        adopt=frozenset(values.pop("adopt")),
        adopt_source=values.pop("adopt_source"),
    )
