"""What a setting's value may be: each reader takes what TOML, the environment or a program gives."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from taskcfg.spec.duration import duration_text, parse_duration

if TYPE_CHECKING:
    from taskcfg.spec.retention import Retention

Reader = Callable[[object], Any]

LONGEST_SHOWN = 60


MOST_KEPT = 100_000


class Unfit(ValueError):
    """The value is not what the setting takes."""


class UnfitValue(Unfit):
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


def size(least: int, most: int) -> Reader:
    """Read a number of bytes: a whole number, or text such as `16MiB`."""
    expected = f"a size from {size_text(least)} to {size_text(most)} such as 16MiB"

    def read(value: object) -> int:
        number = value
        if isinstance(value, str) and (found := _SIZE.fullmatch(value.strip())):
            number = int(found[1]) * _UNITS[found[2]]
        if not isinstance(number, int) or isinstance(number, bool) or not least <= number <= most:
            raise UnfitValue(expected, value)
        return number

    return read


def size_text(number: int) -> str:
    """Return a number of bytes as `size` reads it, in its largest whole unit."""
    unit = next((unit for unit in ("GiB", "MiB", "KiB") if number % _UNITS[unit] == 0 and number), "B")
    return f"{number // _UNITS[unit]}{unit}"


_UNITS = {"": 1, "B": 1, "KiB": 2**10, "MiB": 2**20, "GiB": 2**30, "kB": 10**3, "MB": 10**6, "GB": 10**9}
_SIZE = re.compile(r"([0-9]{1,18}) ?(|B|KiB|MiB|GiB|kB|MB|GB)")


def duration(value: object) -> timedelta:
    try:
        return parse_duration(value)
    except ValueError as error:
        raise UnfitValue("a duration such as 30s", value) from error


def at_least(least: timedelta) -> Reader:
    """Read a duration that is no shorter than *least*."""

    def read(value: object) -> timedelta:
        found = duration(value)
        if found < least:
            raise UnfitValue(f"a duration of {duration_text(least)} or more", value)
        return found

    return read


def git_ref(value: object) -> str:
    """Read what git can follow: a branch, a tag, or a commit's whole id."""
    if isinstance(value, str) and _REF.fullmatch(value) and ".." not in value and "//" not in value:
        return value
    raise UnfitValue("a branch, a tag or a commit such as main", value)


_REF = re.compile(r"[^\s\x00-\x20\x7f~^:?*\[\\@/.-][^\s\x00-\x20\x7f~^:?*\[\\]*(?<![/.])")


def git_path(value: object) -> str:
    """Read a folder's path within a repository."""
    if isinstance(value, str) and value and not value.startswith("/"):
        parts = [part for part in value.split("/") if part not in ("", ".")]
        if ".." not in parts:
            return "/".join(parts) or "."
    raise UnfitValue("a path within the repository such as tasks.d", value)


def switch(value: object) -> bool:
    """Read `true` or `false`."""
    found = {"true": True, "false": False}.get(value) if isinstance(value, str) else value
    if isinstance(found, bool):
        return found
    raise UnfitValue("true or false", value)


def list_of_text(value: object) -> tuple[str, ...]:
    """Read a list; in text it is JSON's, or separated by commas."""
    items = _items(value) if isinstance(value, str) else value
    if isinstance(items, list | tuple) and all(isinstance(item, str) for item in items):
        return tuple(items)
    raise UnfitValue("a list of texts", value)


def environment(value: object) -> str:
    """Read an environment's name, which is also that of its file."""
    if isinstance(value, str) and _ENVIRONMENT.fullmatch(value):
        return value
    raise UnfitValue("an environment's name such as prod: letters, digits and . _ - inside", value)


def environments(value: object) -> tuple[str, ...]:
    """Read a list of environments' names."""
    return tuple(environment(name) for name in list_of_text(value))


_ENVIRONMENT = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]{0,98}[A-Za-z0-9])?")


def retention(value: object) -> Retention:
    """Read a table of ages by how fires ended, `all` and `keep`; in text it is JSON's."""
    from taskcfg.spec.retention import ENDED, retention_of

    table = _json(value, '{"all": "90d", "keep": 100}') if isinstance(value, str) else value
    if not isinstance(table, Mapping) or not table:
        raise UnfitValue('a table such as {all = "90d", keep = 100}', value)
    ages, keep = dict[str, timedelta](), None
    for name, part in table.items():
        if name == "keep":
            keep = _part(name, whole_number(0, MOST_KEPT), part)
        elif name == "all" or name in ENDED:
            ages[name] = _part(name, _age, part)
        else:
            raise UnfitValue(f"the keys all, {', '.join(ENDED)} and keep", name)
    rest = ages.pop("all", None)
    return retention_of(ages, rest, keep)


def _part(name: str, reader: Reader, value: object) -> Any:
    try:
        return reader(value)
    except UnfitValue as error:
        raise Unfit(f"{name}: {error}") from error


def _age(value: object) -> timedelta:
    from taskcfg.spec.retention import LEAST_AGE

    age: timedelta = duration(value)
    if age < LEAST_AGE:
        raise UnfitValue(f"a duration of {duration_text(LEAST_AGE)} or more", value)
    return age


def optional(reader: Reader) -> Reader:
    """Let empty text stand for *nothing set*, which no variable of the environment can say otherwise."""

    def read(value: object) -> Any:
        return None if value == "" else reader(value)

    return read


def _items(value: str) -> object:
    if not value.lstrip().startswith("["):
        return [item.strip() for item in value.split(",") if item.strip()]
    return _json(value, '["a", "b"]')


def _json(value: str, example: str) -> object:
    import json

    try:
        return json.loads(value)
    except (ValueError, RecursionError) as error:
        kind = "list" if example.startswith("[") else "object"
        raise UnfitValue(f"a JSON {kind} such as {example}", value) from error


def _shown(value: object) -> str:
    if value is None:
        return "nothing"
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
