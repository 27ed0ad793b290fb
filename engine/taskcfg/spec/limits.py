"""How much of a result, an error or a traceback is kept, in a form that every database can hold.

No NUL, no half characters, not without end. What is too long is cut, and says so. Nothing here
builds much more text than is kept: a result may be far larger than the memory that is left.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any

from taskcfg.spec.task import canonical_json

LONGEST = 65_536
"""Characters of a result (as JSON), an error or a traceback that are kept."""

DEEPEST = 100
"""Levels to which a result may be nested and still be kept as JSON."""

SEARCHED = 16 * LONGEST
"""Characters of a long text that are searched for secrets before it is cut to what is kept."""

_CUT = "…"
_UNSTORABLE = re.compile("[\0\ud800-\udfff]")
_NOTE = r"\[cut: [^\]\n]{1,60}\]"
_AT_END = re.compile(rf"{_CUT} ({_NOTE})\Z")
_AT_START = re.compile(rf"\A({_NOTE}) {_CUT}")
_LONGEST_NOTE = 100


def storable(text: str | None, *, longest: int = LONGEST, keep_end: bool = False) -> str | None:
    """Return *text* with what no database takes replaced, at most *longest* characters of it.

    What is too long is cut at the end, or at the start with *keep_end* (a traceback's last lines
    say the most), and says there how long it was: `… [cut: 70,000 characters in all]`.
    """
    if text is None:
        return None
    return _UNSTORABLE.sub("\ufffd", text if len(text) <= longest else _cut(text, longest, keep_end))


def foreshortened(text: str, *, keep_end: bool = False) -> str:
    """Return as much of *text* as is worth searching for secrets, cut as `storable` does it."""
    return text if len(text) <= SEARCHED else _cut(text, SEARCHED, keep_end)


def without_edge(text: str, *, keep_end: bool = False) -> str:
    """Return *text*, searched for secrets, without what stands next to a cut of `foreshortened`.

    A secret that was cut in two there was not found.
    """
    rest, note = _parted(text, keep_end)
    if note is None:
        return text
    return _noted(rest[LONGEST:] if keep_end else rest[:-LONGEST], note, keep_end)


def storable_result(value: Any) -> Any:
    """Return *value* if it is JSON of bearable size and depth, else text: its JSON or `repr`, cut."""
    if isinstance(value, str):
        return storable(str(value))
    try:
        if not _is_bearable(value):
            return _joined(_pieces(value, _JSON))
        text = canonical_json(value)
    except Exception:  # noqa: BLE001 - a result's own methods may raise anything; it must not undo the attempt
        return _joined(_pieces(value, _REPR))
    if len(text) > LONGEST:
        return storable(text)
    return _cleaned(value) if "\\u0000" in text or _UNSTORABLE.search(text) else value


def _cut(text: str, longest: int, keep_end: bool) -> str:
    rest, note = _parted(text, keep_end)
    note = note or f"[cut: {len(text):,} characters in all]"
    room = max(longest - len(note) - 2, 0)
    return _noted(rest[len(rest) - room :] if keep_end else rest[:room], note, keep_end)[:longest]


def _parted(text: str, keep_end: bool) -> tuple[str, str | None]:
    """Return *text* without the note of an earlier cut, and that note."""
    if keep_end:
        found = _AT_START.search(text[:_LONGEST_NOTE])
        return (text[found.end() :], found[1]) if found else (text, None)
    found = _AT_END.search(text[-_LONGEST_NOTE:])
    return (text[: -len(found[0])], found[1]) if found else (text, None)


def _noted(text: str, note: str, keep_end: bool) -> str:
    return f"{note} {_CUT}{text}" if keep_end else f"{text}{_CUT} {note}"


def _is_bearable(value: Any) -> bool:
    """Say whether the JSON of *value* may fit, having looked at no more of it than would."""
    weight, todo = 0, [(value, 1)]
    while todo:
        one, depth = todo.pop()
        weight += _weight(one)
        if weight > LONGEST or depth > DEEPEST:
            return False
        if isinstance(one, dict):
            todo += ((each, depth + 1) for pair in islice(one.items(), LONGEST) for each in pair)
        elif isinstance(one, list | tuple):
            todo += ((each, depth + 1) for each in islice(one, LONGEST))
    return True


def _weight(value: Any) -> int:
    """Return how many characters *value* has at the least, but for what it contains."""
    if isinstance(value, str | list | tuple):
        return len(value) + 1
    if isinstance(value, dict):
        return 4 * len(value) + 1
    return value.bit_length() // 4 + 1 if isinstance(value, int) else 1


def _joined(pieces: Iterator[str]) -> str | None:
    kept, room = [], LONGEST
    for piece in pieces:
        kept.append(piece)
        room -= len(piece)
        if room < 0:
            return storable(f"{''.join(kept)[:LONGEST]}{_CUT} [cut: more than {LONGEST:,} characters]")
    return storable("".join(kept))


@dataclass(frozen=True, slots=True)
class _Style:
    """How containers are written: `brackets` of those that are known, and what is written in one piece."""

    brackets: dict[type, tuple[str, str]]
    comma: str
    colon: str
    leaf: Callable[[Any], str]


def _pieces(value: Any, style: _Style, depth: int = 1) -> Iterator[str]:
    """Yield the text of *value*, a little at a time. Raises what its own methods raise, under JSON."""
    brackets = style.brackets.get(type(value))
    if brackets is None or not value:
        yield style.leaf(value)
        return
    if depth > DEEPEST:
        yield _CUT
        return
    yield brackets[0]
    for number, item in enumerate(value.items() if type(value) is dict else value):
        if number:
            yield style.comma
        yield from _item(item, style, depth + 1, paired=type(value) is dict)
    yield ",)" if type(value) is tuple and len(value) == 1 and brackets[1] == ")" else brackets[1]


def _item(item: Any, style: _Style, depth: int, *, paired: bool) -> Iterable[str]:
    if paired:
        yield from _pieces(item[0], style, depth)
        yield style.colon
        item = item[1]
    yield from _pieces(item, style, depth)


def _json_leaf(value: Any) -> str:
    return json.dumps(_shortened(value), ensure_ascii=False, allow_nan=False)


def _repr_leaf(value: Any) -> str:
    try:
        return repr(_shortened(value))
    except Exception as error:  # noqa: BLE001 - as above
        return f"<{type(value).__name__} whose repr raises {type(error).__name__}>"


def _shortened(value: Any) -> Any:
    return value[: LONGEST + 1] if type(value) in (str, bytes, bytearray) else value


_JSON = _Style({dict: ("{", "}"), list: ("[", "]"), tuple: ("[", "]")}, ",", ":", _json_leaf)
_REPR = _Style(
    {
        dict: ("{", "}"),
        list: ("[", "]"),
        tuple: ("(", ")"),
        set: ("{", "}"),
        frozenset: ("frozenset({", "})"),
    },
    ", ",
    ": ",
    _repr_leaf,
)  # fmt: skip


def _cleaned(value: Any) -> Any:
    match value:
        case str():
            return storable(value)
        case dict():
            return {_cleaned(key): _cleaned(item) for key, item in value.items()}
        case list() | tuple():
            return [_cleaned(item) for item in value]
        case _:
            return value
