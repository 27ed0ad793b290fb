"""What the shell offers for a word that is being typed. Never an error: then it offers nothing."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from contextlib import redirect_stderr, redirect_stdout
from typing import TYPE_CHECKING

import click

from taskcfg_cli.context import Invocation

if TYPE_CHECKING:
    from taskcfg.settings import Settings

ASKED = "_TASKCFG_COMPLETE"
"""The variable by which a shell asks: click's own name for it."""


def task_names(context: click.Context, _: click.Parameter, incomplete: str) -> list[str]:
    """Offer the names of live tasks, or of those in the files where no database answers."""

    def names(settings: Settings) -> Iterable[str]:
        from taskcfg.control.completing import known

        return known(settings).names

    return _offered(context, incomplete, names)


def label_keys(context: click.Context, _: click.Parameter, incomplete: str) -> list[str]:
    """Offer the labels that tasks have."""

    def keys(settings: Settings) -> Iterable[str]:
        from taskcfg.control.completing import known

        return known(settings).label_keys

    return _offered(context, incomplete, keys)


def type_names(context: click.Context, _: click.Parameter, incomplete: str) -> list[str]:
    """Offer the registered types."""

    def names(settings: Settings) -> Iterable[str]:
        from taskcfg.control.completing import type_names

        return type_names(settings)

    return _offered(context, incomplete, names)


def _offered(
    context: click.Context, incomplete: str, words: Callable[[Settings], Iterable[str]]
) -> list[str]:
    # What a user's module prints while it is imported is no completion.
    with open(os.devnull, "w") as nowhere, redirect_stdout(nowhere), redirect_stderr(nowhere):
        try:
            from taskcfg.settings import load_settings

            settings = load_settings(context.ensure_object(Invocation).flags)
            return [word for word in words(settings) if word.startswith(incomplete)]
        except Exception:  # noqa: BLE001 there is nowhere to say it: somebody is in the middle of a line
            return []
