"""The parts that the JSON Schema of task files is put together from.

A schema cannot say all that the readers check. Where it cannot, it takes more, never less.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from taskcfg.source.schedules.instants import INSTANT
from taskcfg.types.params_schema import DURATION

JsonSchema = dict[str, Any]

REFERENCE: JsonSchema = {"type": "string", "pattern": r"\$\{(env|secret):"}
"""A text whose value is known when the files are read, or on the worker."""

_OUTSIDE = ("description", "default", "examples")
NULL = "null"
_INSTANT = "expected an instant such as 2026-12-24T18:00:00+01:00"
ZONES = ["UTC", "Europe/Berlin", "Europe/London", "America/New_York", "Asia/Tokyo"]


def or_reference(schema: Mapping[str, Any]) -> JsonSchema:
    """Return *schema*, but whatever a text with a reference in it may become is right.

    Not by `anyOf`: then a validator would say no more than that nothing fits. Editors do not look
    for words to offer behind `if`, and get those as snippets.
    """
    found = {key: value for key, value in schema.items() if key in _OUTSIDE}
    found |= {"if": REFERENCE, "else": {key: value for key, value in schema.items() if key not in _OUTSIDE}}
    words = [word for word in _words(schema) if word is not None]
    if words:
        found["defaultSnippets"] = [
            {"label": word if isinstance(word, str) else json.dumps(word), "body": word} for word in words
        ]
    return found


def _words(schema: Mapping[str, Any]) -> Sequence[Any]:
    if "boolean" in schema.get("type", ()):
        return (True, False)
    constant = [schema["const"]] if "const" in schema else []
    words: Sequence[Any] = schema.get("enum", constant)
    return words


def text(description: str, **more: Any) -> JsonSchema:
    return or_reference({"description": description, "type": ["string", NULL], **more})


def one_of(description: str, *words: str) -> JsonSchema:
    return or_reference({"description": description, "enum": [*words, None]})


def whole(description: str, lowest: int, highest: int) -> JsonSchema:
    bounds = {"type": ["integer", NULL], "minimum": lowest, "maximum": highest}
    return or_reference({"description": description, **bounds})


def truth(description: str) -> JsonSchema:
    return or_reference({"description": description, "type": ["boolean", NULL]})


def duration(description: str, shortest: int = 0) -> JsonSchema:
    kinds = {"type": ["string", "number", NULL], "minimum": shortest}
    return or_reference({**DURATION, **kinds, "description": description})


def instant(description: str, *, optional: bool = False) -> JsonSchema:
    return or_reference(
        {
            "description": description,
            "type": ["string", NULL] if optional else "string",
            "pattern": f"^{INSTANT.pattern}$",
            "patternErrorMessage": _INSTANT,
        }
    )


def in_any_case(pattern: str) -> str:
    """Return *pattern* for letters of either case: JSON Schema knows no flags."""
    return "".join(f"[{each.upper()}{each.lower()}]" if each.isalpha() else each for each in pattern)
