"""What a setting's value may be: each reader takes what TOML, the environment or a program gives."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

from taskcfg.spec.duration import parse_duration

Reader = Callable[[object], Any]

LONGEST_SHOWN = 60


class UnfitValue(ValueError):
    """The value is not what the setting takes: `expected …, found …`. Never repeats what may be secret."""

    def __init__(self, expected: str, found: object) -> None:
        super().__init__(f"expected {expected}, found {_shown(found)}")


def text(*, longest: int | None = None) -> Reader:
    def read(value: object) -> str:
        if isinstance(value, str) and value and len(value) <= (longest or len(value)):
            return value
        raise UnfitValue(f"text of 1 to {longest} letters" if longest else "text", value)

    return read


def path(value: object) -> Path:
    """Read a path; `~` is the home folder."""
    if isinstance(value, Path) or (isinstance(value, str) and value):
        return Path(value).expanduser()
    raise UnfitValue("a path", value)


def choice(*words: str) -> Reader:
    def read(value: object) -> str:
        if isinstance(value, str) and value in words:
            return value
        raise UnfitValue("one of " + ", ".join(words), value)

    return read


def whole_number(least: int, most: int | None = None) -> Reader:
    expected = f"a whole number from {least} to {most}" if most else f"a whole number, {least} or more"

    def read(value: object) -> int:
        number = value
        if isinstance(value, str) and value.strip().isascii() and value.strip().isdigit() and len(value) < 20:
            number = int(value)
        if not isinstance(number, int) or isinstance(number, bool):
            raise UnfitValue(expected, value)
        if number < least or (most is not None and number > most):
            raise UnfitValue(expected, value)
        return number

    return read


def duration(value: object) -> timedelta:
    try:
        return parse_duration(value)
    except ValueError as error:
        raise UnfitValue("a duration such as 30s", value) from error


def list_of_text(value: object) -> tuple[str, ...]:
    """Read a list; in text it is JSON's, or separated by commas."""
    items = _items(value) if isinstance(value, str) else value
    if isinstance(items, list | tuple) and all(isinstance(item, str) for item in items):
        return tuple(items)
    raise UnfitValue("a list of texts", value)


def optional(reader: Reader) -> Reader:
    """Let empty text stand for *nothing set*, which no variable of the environment can say otherwise."""

    def read(value: object) -> Any:
        return None if value == "" else reader(value)

    return read


def _items(value: str) -> object:
    if not value.lstrip().startswith("["):
        return [item.strip() for item in value.split(",") if item.strip()]
    import json

    try:
        return json.loads(value)
    except ValueError as error:
        raise UnfitValue('a JSON list such as ["a", "b"]', value) from error


def _shown(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int | float):
        return str(value)
    if isinstance(value, list | tuple):
        return "a list"
    if not isinstance(value, str):
        return "a table" if isinstance(value, dict) else type(value).__name__
    if "://" in value:
        return "a URL"  # it may hold a password
    short = value if len(value) <= LONGEST_SHOWN else value[: LONGEST_SHOWN - 1] + "…"
    return f'"{short}"'
