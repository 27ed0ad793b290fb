"""References to secrets inside params: `${secret:NAME}`, resolved only on the worker.

In the stored form a run of `$` right before `{secret:` is read in pairs, each of which is one `$`;
one that is left over begins a reference. So `$${secret:` is the literal text `${secret:`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

NAME = r"[A-Za-z0-9_][A-Za-z0-9_.-]*"
"""What a secret may be called: no path, and no hidden file."""

_MARK = "{secret:"
# Each run of `$` is looked at from its start only: a long one costs no more than its length.
_REFERENCE = re.compile(rf"(?<!\$)(\$+)\{{secret:(?:({NAME})\}})?", re.ASCII)
_DOLLARS = re.compile(r"(?<!\$)\$+(?=\{secret:)")


def secret_names(value: Any) -> frozenset[str]:
    """Return the names of all secrets that the strings of the JSON *value* refer to; keys do not."""
    return frozenset(
        name
        for text in _texts(value)
        for dollars, name in _REFERENCE.findall(text)
        if name and len(dollars) % 2
    )


def with_secrets(value: Any, lookup: Callable[[str], str]) -> Any:
    """Return the JSON *value* with each reference replaced by `lookup(name)`, and literals as meant.

    *value* itself stays as it is. What `lookup` raises comes through; what it returns is not read again.
    """
    if isinstance(value, str):
        return _resolved(value, lookup) if _MARK in value else value
    if isinstance(value, dict):
        return {key: with_secrets(item, lookup) for key, item in value.items()}
    if isinstance(value, list):
        return [with_secrets(item, lookup) for item in value]
    if isinstance(value, tuple):
        return tuple(with_secrets(item, lookup) for item in value)
    return value


def literal(text: str) -> str:
    """Return the stored form of *text* in which nothing is a reference."""
    return _DOLLARS.sub(lambda found: found[0] * 2, text)


def _resolved(text: str, lookup: Callable[[str], str]) -> str:
    def replacement(found: re.Match[str]) -> str:
        dollars, name = found[1], found[2]
        kept = "$" * (len(dollars) // 2)
        if len(dollars) % 2 and name:
            return kept + lookup(name)
        rest = found[0].removeprefix(dollars)
        return kept + ("$" + rest if len(dollars) % 2 else rest)

    return _REFERENCE.sub(replacement, text)


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for item in value.values():
            yield from _texts(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _texts(item)
