"""Text and results as the database can hold them: no NUL, no half characters, not without end."""

from __future__ import annotations

import re
from typing import Any

from taskcfg.spec.task import canonical_json

LONGEST = 65_536
"""Characters of a result, an error or a traceback that are kept."""

_CUT = "…"
_UNSTORABLE = re.compile("[\0\ud800-\udfff]")


def storable(text: str | None, *, longest: int = LONGEST, keep_end: bool = False) -> str | None:
    """Return *text* with what no database takes replaced, at most *longest* characters of it.

    What is too long is cut at the end, or at the start with *keep_end* (a traceback's last lines
    say the most).
    """
    if text is None:
        return None
    clean = _UNSTORABLE.sub("\ufffd", text)
    if len(clean) <= longest:
        return clean
    return _CUT + clean[-longest + 1 :] if keep_end else clean[: longest - 1] + _CUT


def storable_result(value: Any) -> Any:
    """Return *value* if it is JSON of bearable size, else its `repr`, cut."""
    try:
        text = canonical_json(value)
    except (TypeError, ValueError, RecursionError):
        return storable(_repr(value))
    if len(text) > LONGEST:
        return storable(text)
    return _cleaned(value) if "\\u0000" in text or _UNSTORABLE.search(text) else value


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


def _repr(value: Any) -> str:
    try:
        return repr(value)
    except Exception as error:  # noqa: BLE001 - a result's own repr may raise anything; it must not undo the attempt
        return f"<{type(value).__name__} whose repr raises {type(error).__name__}>"
