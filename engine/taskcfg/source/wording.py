"""A Pydantic error in our words."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from pydantic_core import ErrorDetails

from taskcfg.spec.duration import duration_text
from taskcfg.spec.shown import shown


@dataclass(frozen=True, slots=True)
class Wording:
    """What a problem says. `expected` is the part that alternatives join with *or*."""

    message: str
    expected: str | None = None
    hint: str | None = None


_EXPECTED = {
    "text": ("string_type", "string_sub_type"),
    "a whole number": ("int_type", "int_parsing", "int_from_float", "int_parsing_size"),
    "a number": ("float_type", "float_parsing", "decimal_type", "decimal_parsing", "finite_number"),
    "`true` or `false`": ("bool_type", "bool_parsing"),
    "a list": ("list_type", "tuple_type", "set_type", "frozen_set_type", "iterable_type"),
    "a mapping": ("dict_type", "model_type", "model_attributes_type", "mapping_type", "dataclass_type"),
    "nothing": ("none_required",),
    "a date such as `2026-12-24`": ("date_type", "date_parsing", "date_from_datetime_parsing"),
    "an instant such as `2026-12-24T18:00:00+01:00`": (
        "datetime_type",
        "datetime_parsing",
        "datetime_from_date_parsing",
        "timezone_aware",
    ),
    "a time such as `18:00`": ("time_type", "time_parsing"),
    "a URL such as `https://example.org/path`": ("url_type", "url_parsing", "url_scheme"),
}
_WORD_OF = {kind: words for words, kinds in _EXPECTED.items() for kind in kinds}

_PHRASES = {
    "greater_than": "must be more than {gt}, found {found}",
    "greater_than_equal": "must be at least {ge}, found {found}",
    "less_than": "must be less than {lt}, found {found}",
    "less_than_equal": "must be at most {le}, found {found}",
    "multiple_of": "must be a multiple of {multiple_of}, found {found}",
    "string_too_short": "must have at least {min_length} characters",
    "string_too_long": "must have at most {max_length} characters",
    "too_short": "must have at least {min_length} items",
    "too_long": "must have at most {max_length} items",
    "string_pattern_mismatch": "must match the pattern `{pattern}`",
    "missing": "missing",
    "extra_forbidden": "unknown field",
}


def worded(detail: ErrorDetails) -> Wording:
    """Return how we say *detail*: what was expected, and what was found instead."""
    kind, value, context = detail["type"], detail["input"], detail.get("ctx", {})
    if kind in _WORD_OF:
        return mismatch(_WORD_OF[kind], value, _quote_hint(kind, value))
    if kind in ("literal_error", "enum"):
        words = str(context.get("expected", "")).replace("'", "`")
        return mismatch(words, value)
    if context.get("min_length") == 1:
        return Wording("must not be empty")
    if kind in _PHRASES:
        return Wording(_PHRASES[kind].format(found=shown(_readable(value)), **context))
    return Wording(_own_words(detail["msg"]))


def mismatch(expected: str, value: Any, hint: str | None = None) -> Wording:
    return Wording(f"expected {expected}, found {shown(value)}", expected, hint)


def _quote_hint(kind: str, value: Any) -> str | None:
    is_number = isinstance(value, int | float)
    return "put it in quotes" if kind == "string_type" and is_number else None


def _readable(value: Any) -> Any:
    return duration_text(value) if isinstance(value, timedelta) else value


def _own_words(message: str) -> str:
    """Return a validator's own message, or Pydantic's, as the rest of a sentence."""
    text = message.removeprefix("Value error, ").removeprefix("Assertion failed, ").removesuffix(".")
    return text[:1].lower() + text[1:] if text[1:2].islower() else text
