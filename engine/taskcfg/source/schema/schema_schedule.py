"""A schedule as JSON Schema: one, or a list of them."""

from __future__ import annotations

from taskcfg.source.schema.schema_parts import (
    NULL,
    ZONES,
    JsonSchema,
    in_any_case,
    instant,
    one_of,
    or_reference,
    text,
)
from taskcfg.spec.schedule import Gap, Repeat
from taskcfg.spec.times.cron import NAMED_FIELDS, NICKNAMES
from taskcfg.spec.times.cron_terms import Field
from taskcfg.types.params_schema import DURATION

_TERMS = r"[0-9A-Za-z*/,#()-]+"
_NICKNAMES = in_any_case("|".join(name[1:] for name in NICKNAMES))
_TEXT = rf"^\s*(@({_NICKNAMES})|{_TERMS}(\s+{_TERMS}){{4,5}})\s*$"
_NUMBERS = r"^[\s0-9A-Za-z*/,()-]+$"
_DAY = in_any_case("(sun|mon|tue|wed|thu|fri|sat)")
_STEP = "(/[0-9]+)?"
_SPREAD = rf"[Hh](\([0-9]+-[0-9]+\))?{_STEP}"
_WEEKDAY = rf"\s*(\*{_STEP}|{_DAY}(-{_DAY})?{_STEP}|{_DAY}#[1-5]|{_DAY}[Ll]|{_SPREAD})\s*"


def _not_beside(*names: str) -> JsonSchema:
    return {"properties": dict.fromkeys(names, False)}


def _one_or_several(one: JsonSchema, description: str, *, fewest: int = 0) -> JsonSchema:
    several: JsonSchema = {"type": "array", "items": one}
    if fewest:
        several["minItems"] = fewest
    return {"description": description, "if": {"type": "array"}, "then": several, "else": one}


def _cron_field(name: str, field: Field) -> JsonSchema:
    if field.names_only:
        words: JsonSchema = {"type": ["string", NULL], "pattern": f"^{_WEEKDAY}(,{_WEEKDAY})*$"}
        words["patternErrorMessage"] = "expected weekdays by their names, such as MON-FRI or TUE#1"
        return _one_or_several(or_reference(words), "By name, such as `MON-FRI` or `TUE#1`.", fewest=1)
    numbers = {"type": ["integer", "string", NULL], "minimum": field.lowest, "maximum": field.highest}
    about = f"{field.range}, `*`, ranges and steps (default: `*`, or the lowest where it is the finest)."
    return _one_or_several(or_reference({**numbers, "pattern": _NUMBERS}), about, fewest=1)


_CRON: JsonSchema = {
    "description": "As in a crontab: minute, hour, day, month, weekday, with seconds first if there are six;"
    " or these by their names, all of which must hold. In the `timezone`.",
    "if": {"type": "object"},
    "then": {
        "type": "object",
        "properties": {name: _cron_field(name, field) for name, field in NAMED_FIELDS.items()},
        "additionalProperties": False,
    },
    "else": or_reference(
        {
            "type": "string",
            "pattern": _TEXT,
            "patternErrorMessage": 'expected five fields such as "0 3 * * *"',
            "examples": ["0 3 * * *", "30 1 * * MON-FRI", "*/15 * * * *", "H 2 * * *", "@daily"],
        }
    ),
}

_CALENDAR = text("A calendar: `calendars/NAME.yaml`.", minLength=1)

_ONE: JsonSchema = {
    "type": "object",
    "properties": {
        "cron": _CRON,
        "every": or_reference(
            {**DURATION, "description": "The interval, counted from `anchor`; at least 1s.", "minimum": 1}
        ),
        "anchor": instant("What `every` counts from (default 1970-01-01T00:00:00Z).", optional=True),
        "at": _one_or_several(
            instant("An instant."), "The instant it fires once, or a list of them.", fewest=1
        ),
        "start": instant("The first instant that counts (default: always).", optional=True),
        "end": instant("The first instant that does not count any more (default: never).", optional=True),
        "timezone": text(
            "IANA name of the zone it is in (default: the task's).",
            pattern=r"^[A-Za-z0-9_+-]+(/[A-Za-z0-9_+-]+)*$",
            examples=ZONES,
        ),
        "dst": {
            "description": "What a fixed time of `cron` does where clocks change.",
            "type": ["object", NULL],
            "properties": {
                "gap": one_of("Of a time that clocks skip (default run_after).", *Gap),
                "overlap": one_of("Of a time that clocks show twice (default first).", *Repeat),
            },
            "additionalProperties": False,
        },
        "skip_on": _one_or_several(_CALENDAR, "It does not fire on the days of these calendars."),
        "only_on": _one_or_several(_CALENDAR, "It fires on the days of these calendars alone."),
    },
    "additionalProperties": False,
    "dependencies": {
        "cron": _not_beside("every", "at", "anchor"),
        "at": _not_beside("cron", "every", "anchor", "dst"),
        "every": _not_beside("cron", "at", "dst"),
    },
}

SCHEDULE: JsonSchema = {
    "description": 'When it runs: `{cron: "0 3 * * *"}`, `{every: 15m}`, `{at: 2026-12-24T18:00:00+01:00}`,'
    " a list of these, or `manual` for only when asked.",
    "defaultSnippets": [
        {"label": "cron", "body": {"cron": "${1:0 3 * * *}"}},
        {"label": "every", "body": {"every": "${1:15m}"}},
        {"label": "manual", "body": "manual"},
    ],
    "if": {"type": "string"},
    "then": or_reference({"enum": ["manual"]}),
    "else": {
        "if": {"type": "array"},
        "then": {"type": "array", "items": _ONE, "minItems": 1},
        "else": _ONE,
    },
}
