"""The JSON Schema of task files, for editors: with the fields of a task and the params of every type."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from taskcfg.source.schema.schema_fields import FIELDS, NAME
from taskcfg.source.schema.schema_parts import JsonSchema, in_any_case, or_reference
from taskcfg.source.top_level import OWN
from taskcfg.types.params_schema import params_schema
from taskcfg.types.registry import TaskType

DRAFT = "http://json-schema.org/draft-07/schema#"
"""The draft that all editors know."""

_TASK = "#/$defs/task"
_NUMERIC = r"^\s*[-+]?[0-9._]+([eE][-+]?[0-9]+)?\s*$"
_BOOLEAN = r"^(true|false|yes|no|on|off|y|n|t|f|0|1)$"
_OPEN = ("format", "uniqueItems", "discriminator")
"""Keywords by which an editor would refuse what Pydantic takes."""

_VALUES = ("default", "examples", "enum", "const")


def task_file_schema(types: Iterable[TaskType]) -> JsonSchema:
    """Return the schema of a task file with tasks of these *types*.

    `$defs` holds `defaults_file`, the schema of a `_defaults.yaml`, and `params.TYPE` for each
    type. What may be inherited is never required: a missing field is not seen.
    """
    definitions: dict[str, JsonSchema] = {}
    branches: list[JsonSchema] = []
    described: dict[str, str] = {}
    for task_type in types:
        name = f"params.{task_type.name}"
        definitions |= _params(task_type, name)
        branches.append(
            {
                "if": {"properties": {"type": {"const": task_type.name}}, "required": ["type"]},
                "then": {"properties": {"params": {"$ref": f"#/$defs/{name}"}}},
            }
        )
        described[task_type.name] = task_type.summary
    task = _task(described, branches)
    own = {f"^{OWN}": {"description": "Yours: for anchors."}}
    return {
        "$schema": DRAFT,
        "title": "taskcfg task file",
        "type": ["object", "null"],
        "properties": {
            "defaults": {"description": "Fields for all tasks of this file.", "allOf": [{"$ref": _TASK}]},
            "tasks": {
                "description": "The tasks, by their lasting names.",
                "type": ["object", "null"],
                "propertyNames": NAME,
                "additionalProperties": {"$ref": _TASK},
            },
        },
        "patternProperties": own,
        "additionalProperties": False,
        "$defs": {"task": task, "defaults_file": {**task, "patternProperties": own}, **definitions},
    }


def _task(described: Mapping[str, str], branches: list[JsonSchema]) -> JsonSchema:
    lines = [f"- `{name}`: {summary}" for name, summary in described.items()]
    kind = or_reference({"description": "\n".join(["What it does:", "", *lines]), "enum": list(described)})
    return {
        "type": ["object", "null"],
        "properties": {"type": kind, **FIELDS},
        "additionalProperties": False,
        "allOf": branches,
    }


def _params(task_type: TaskType, name: str) -> dict[str, JsonSchema]:
    """Return the definition *name* of the type's params, and those of the models in it."""
    schema = params_schema(task_type, f"#/$defs/{name}.{{model}}")
    inner = {f"{name}.{model}": _loosened(each) for model, each in schema.pop("$defs", {}).items()}
    whole = _loosened(schema)
    if "properties" in whole:
        whole["type"] = ["object", "null"]
    whole.setdefault("description", f"What `{task_type.name}` needs.")
    return {name: whole, **inner}


def _loosened(schema: Any) -> Any:
    """Return *schema* without what a task file may leave to its defaults, and open to references.

    Pydantic reads numbers and truth from text, so that a value may come from the environment.
    """
    if isinstance(schema, bool):
        return schema
    found = {key: _part(key, value) for key, value in schema.items() if key not in _OPEN}
    found.pop("required", None)
    if "oneOf" in found:
        found["anyOf"] = found.pop("oneOf")
    return _open_to_text(found)


def _part(key: str, value: Any) -> Any:
    if key in _VALUES:
        return value
    if key in ("properties", "patternProperties"):
        return {name: _loosened(inner) for name, inner in value.items()}
    if isinstance(value, dict):
        return _loosened(value)
    if isinstance(value, list) and key in ("anyOf", "oneOf", "allOf", "prefixItems", "items"):
        return [_loosened(inner) for inner in value]
    return value


def _open_to_text(schema: JsonSchema) -> JsonSchema:
    match schema:
        case {"enum": _} | {"const": _}:
            return or_reference(schema)
        case {"type": "integer" | "number" as kind}:
            return or_reference({**schema, "type": [kind, "string"], "pattern": _NUMERIC})
        case {"type": "boolean"}:
            text = {"pattern": in_any_case(_BOOLEAN), "minimum": 0, "maximum": 1}
            return or_reference({**schema, "type": ["boolean", "string", "integer"], **text})
        case {"type": "string" | ["string", "number"]} if {"pattern", "minLength", "maxLength"} & set(schema):
            return or_reference(schema)
        case _:
            return schema
