"""The fields of a task as JSON Schema: what `spec.fields` and the readers here take, in an editor's words.

A schema cannot say all that the readers check. Where it cannot, it takes more, never less.
"""

from __future__ import annotations

from collections.abc import Mapping

from taskcfg.source.schema.schema_parts import (
    NULL,
    ZONES,
    JsonSchema,
    duration,
    one_of,
    or_reference,
    text,
    truth,
    whole,
)
from taskcfg.source.schema.schema_schedule import SCHEDULE
from taskcfg.spec.fields import (
    LONGEST_LABEL,
    LONGEST_LINE,
    LONGEST_QUEUE,
    LONGEST_RUNBOOK,
    MOST_ALLOWED,
    MOST_ATTEMPTS,
)
from taskcfg.spec.policy import Backoff, CatchUp, Delivery, OverlapMode
from taskcfg.spec.task import LONGEST_NAME

NAME: JsonSchema = {
    "maxLength": LONGEST_NAME,
    "pattern": r"^[\p{L}\p{N}]([\p{L}\p{N}\p{M}._-]*[\p{L}\p{N}\p{M}])?$",
}
"""Python's `isalnum` in the words of Unicode's categories."""


RETRY: JsonSchema = {
    "description": "What follows a failure or `timed_out`.",
    "type": ["object", NULL],
    "properties": {
        "attempts": whole("How often it is tried in all.", 1, MOST_ATTEMPTS),
        "delay": duration("How long after a failure it is tried again (default 10s)."),
        "backoff": one_of("`exponential` doubles the delay each time (default fixed).", *Backoff),
        "max_delay": duration("The longest delay (default 1h)."),
        "jitter": truth("Whether the delay is spread at random (default false)."),
    },
    "additionalProperties": False,
}

OVERLAP: JsonSchema = {
    "description": "What a fire does while an earlier one is live (default skip); `{allow: 3}`: at most so"
    " many are live.",
    "if": {"type": "object"},
    "then": {
        "properties": {"allow": whole("How many may be live at once.", 1, MOST_ALLOWED)},
        "required": ["allow"],
        "additionalProperties": False,
    },
    "else": or_reference({"enum": [*OverlapMode, None]}),
    "defaultSnippets": [
        *({"label": mode.value, "body": mode.value} for mode in OverlapMode),
        {"label": "{allow: 3}", "body": {"allow": 3}},
    ],
}

LABELS: JsonSchema = {
    "description": "For selecting: `taskcfg list -l team=platform`. Merged with inherited ones; an empty"
    " value takes one away.",
    "type": ["object", NULL],
    "propertyNames": {"maxLength": LONGEST_LABEL, "pattern": "^[A-Za-z0-9]([A-Za-z0-9._/-]*[A-Za-z0-9])?$"},
    "additionalProperties": or_reference({"type": ["string", NULL], "maxLength": LONGEST_LINE}),
}

FIELDS: Mapping[str, JsonSchema] = {
    "schedule": SCHEDULE,
    "params": {"description": "The type's own fields.", "type": ["object", NULL]},
    "description": text("What the task is for, for people."),
    "labels": LABELS,
    "owner": text("Who answers for it.", maxLength=LONGEST_LINE, pattern=r"\S"),
    "runbook": text("What to do when it fails: text or a link.", maxLength=LONGEST_RUNBOOK),
    "enabled": truth("`false` keeps it declared and stopped (default true)."),
    "timezone": text(
        "IANA name of the zone its schedule is in (default UTC).",
        pattern=r"^[A-Za-z0-9_+-]+(/[A-Za-z0-9_+-]+)*$",
        examples=ZONES,
    ),
    "queue": text(
        "Celery queue (default: the Celery app's own routing).",
        minLength=1,
        maxLength=LONGEST_QUEUE,
        pattern=r"^(?!amq\.)",
    ),
    "priority": whole("0 (lowest) to 9 (default 5).", 0, 9),
    "timeout": duration("An attempt is stopped after it and recorded `timed_out` (default: the type's).", 1),
    "retry": RETRY,
    "overlap": OVERLAP,
    "catch_up": one_of("Which missed fires are made up for (default latest).", *CatchUp),
    "catch_up_window": duration("How far back a missed fire still counts (default 1d)."),
    "expires": duration("A fire not started this long after its time is dropped (default never).", 1),
    "delivery": one_of(
        "Whether a dispatch whose worker is provably dead is dispatched again (default at_least_once).",
        *Delivery,
    ),
    "jitter": duration("Fires are spread over this long after their time (default 0s)."),
    "protect": truth("Apply refuses to delete it, also after it is gone from the files (default false)."),
    "renamed_from": text("The name it had: history and pause follow.", **NAME),
}
"""All fields of a task but `type`."""
