"""The fields of a task as JSON Schema: what `spec.fields` and the readers here take, in an editor's words.

A schema cannot say all that the readers check. Where it cannot, it takes more, never less.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from taskcfg.source.instants import INSTANT
from taskcfg.spec.fields import (
    LONGEST_LABEL,
    LONGEST_LINE,
    LONGEST_QUEUE,
    LONGEST_RUNBOOK,
    MOST_ATTEMPTS,
)
from taskcfg.spec.policy import Backoff, CatchUp, Delivery
from taskcfg.spec.task import LONGEST_NAME
from taskcfg.types.params_schema import DURATION

JsonSchema = dict[str, Any]

REFERENCE: JsonSchema = {"type": "string", "pattern": r"\$\{(env|secret):"}
"""A text whose value is known when the files are read, or on the worker."""

_OUTSIDE = ("description", "default", "examples")
_NULL = "null"
_INSTANT = "expected an instant such as 2026-12-24T18:00:00+01:00"
_FIELDS = r"^\s*[0-9A-Za-z*/,#?-]+(\s+[0-9A-Za-z*/,#?-]+){4}\s*$"
_ZONES = ["UTC", "Europe/Berlin", "Europe/London", "America/New_York", "Asia/Tokyo"]

NAME: JsonSchema = {
    "maxLength": LONGEST_NAME,
    "pattern": r"^[\p{L}\p{N}]([\p{L}\p{N}\p{M}._-]*[\p{L}\p{N}\p{M}])?$",
}
"""Python's `isalnum` in the words of Unicode's categories."""


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


def _text(description: str, **more: Any) -> JsonSchema:
    return or_reference({"description": description, "type": ["string", _NULL], **more})


def _one_of(description: str, *words: str) -> JsonSchema:
    return or_reference({"description": description, "enum": [*words, None]})


def _whole(description: str, lowest: int, highest: int) -> JsonSchema:
    bounds = {"type": ["integer", _NULL], "minimum": lowest, "maximum": highest}
    return or_reference({"description": description, **bounds})


def _truth(description: str) -> JsonSchema:
    return or_reference({"description": description, "type": ["boolean", _NULL]})


def _duration(description: str, shortest: int = 0) -> JsonSchema:
    kinds = {"type": ["string", "number", _NULL], "minimum": shortest}
    return or_reference({**DURATION, **kinds, "description": description})


def _instant(description: str) -> JsonSchema:
    return or_reference(
        {
            "description": description,
            "type": "string",
            "pattern": f"^{INSTANT.pattern}$",
            "patternErrorMessage": _INSTANT,
        }
    )


def _not_beside(*names: str) -> JsonSchema:
    return {"properties": dict.fromkeys(names, False)}


SCHEDULE: JsonSchema = {
    "description": 'When it runs: `{cron: "0 3 * * *"}`, `{every: 15m}`, `{at: 2026-12-24T18:00:00+01:00}`,'
    " or `manual` for only when asked.",
    "defaultSnippets": [
        {"label": "cron", "body": {"cron": "${1:0 3 * * *}"}},
        {"label": "every", "body": {"every": "${1:15m}"}},
        {"label": "manual", "body": "manual"},
    ],
    "if": {"type": "string"},
    "then": or_reference({"enum": ["manual"]}),
    "else": {
        "type": "object",
        "properties": {
            "cron": or_reference(
                {
                    "description": "Five fields, as in a crontab: minute, hour, day, month, weekday."
                    " In the task's `timezone`.",
                    "type": "string",
                    "pattern": _FIELDS,
                    "patternErrorMessage": 'expected five fields such as "0 3 * * *"',
                    "examples": ["0 3 * * *", "30 1 * * MON-FRI", "*/15 * * * *"],
                }
            ),
            "every": or_reference(
                {**DURATION, "description": "The interval, counted from `anchor`; at least 1s.", "minimum": 1}
            ),
            "anchor": _instant("What `every` counts from (default 1970-01-01T00:00:00Z)."),
            "at": {
                "description": "The instant it fires once, or a list of them.",
                "if": {"type": "array"},
                "then": {"type": "array", "items": _instant("An instant."), "minItems": 1},
                "else": _instant("The instant it fires."),
            },
        },
        "additionalProperties": False,
        "dependencies": {
            "cron": _not_beside("every", "at", "anchor"),
            "at": _not_beside("cron", "every", "anchor"),
            "every": _not_beside("cron", "at"),
        },
    },
}

RETRY: JsonSchema = {
    "description": "What follows a failure or `timed_out`.",
    "type": ["object", _NULL],
    "properties": {
        "attempts": _whole("How often it is tried in all.", 1, MOST_ATTEMPTS),
        "delay": _duration("How long after a failure it is tried again (default 10s)."),
        "backoff": _one_of("`exponential` doubles the delay each time (default fixed).", *Backoff),
        "max_delay": _duration("The longest delay (default 1h)."),
        "jitter": _truth("Whether the delay is spread at random (default false)."),
    },
    "additionalProperties": False,
}

LABELS: JsonSchema = {
    "description": "For selecting: `taskcfg list -l team=platform`. Merged with inherited ones; an empty"
    " value takes one away.",
    "type": ["object", _NULL],
    "propertyNames": {"maxLength": LONGEST_LABEL, "pattern": "^[A-Za-z0-9]([A-Za-z0-9._/-]*[A-Za-z0-9])?$"},
    "additionalProperties": or_reference({"type": ["string", _NULL], "maxLength": LONGEST_LINE}),
}

FIELDS: Mapping[str, JsonSchema] = {
    "schedule": SCHEDULE,
    "params": {"description": "The type's own fields.", "type": ["object", _NULL]},
    "description": _text("What the task is for, for people."),
    "labels": LABELS,
    "owner": _text("Who answers for it.", maxLength=LONGEST_LINE, pattern=r"\S"),
    "runbook": _text("What to do when it fails: text or a link.", maxLength=LONGEST_RUNBOOK),
    "enabled": _truth("`false` keeps it declared and stopped (default true)."),
    "timezone": _text(
        "IANA name of the zone its schedule is in (default UTC).",
        pattern=r"^[A-Za-z0-9_+-]+(/[A-Za-z0-9_+-]+)*$",
        examples=_ZONES,
    ),
    "queue": _text(
        "Celery queue (default: the Celery app's own routing).",
        minLength=1,
        maxLength=LONGEST_QUEUE,
        pattern=r"^(?!amq\.)",
    ),
    "priority": _whole("0 (lowest) to 9 (default 5).", 0, 9),
    "timeout": _duration("An attempt is stopped after it and recorded `timed_out` (default: the type's).", 1),
    "retry": RETRY,
    "overlap": _one_of("What a fire does while an earlier one is live (default skip).", "skip", "allow"),
    "catch_up": _one_of("Which missed fires are made up for (default latest).", *CatchUp),
    "catch_up_window": _duration("How far back a missed fire still counts (default 1d)."),
    "expires": _duration("A fire not started this long after its time is dropped (default never).", 1),
    "delivery": _one_of(
        "Whether a dispatch whose worker is provably dead is dispatched again (default at_least_once).",
        *Delivery,
    ),
    "jitter": _duration("Fires are spread over this long after their time (default 0s)."),
}
"""All fields of a task but `type`."""
