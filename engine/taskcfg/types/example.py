"""Params that a type takes, for an example: plausible values for what is required."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from taskcfg.types.declare import TaskType

_TEXTS = (
    "example",
    "https://example.org/",
    "someone@example.org",
    "2026-12-24",
    "2026-12-24T18:00:00Z",
    "Europe/Berlin",
    "1",
)
"""Tried in this order where the type's own check does not take a text."""

_DEEPEST = 8


def example_params(task_type: TaskType, schema: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return the required params with values that the type takes, None when none are found.

    A field's own `examples` come first, then what its JSON *schema* allows.
    """
    required = schema.get("required", ())
    attempts = dict.fromkeys(required, 0)
    for _ in range(len(_TEXTS) * (len(attempts) + 1)):
        params = {name: _value(schema["properties"][name], schema, attempts[name]) for name in required}
        try:
            task_type.canonical_params(params)
        except ValidationError as error:
            refused = {detail["loc"][0] for detail in error.errors() if detail["loc"]} & set(attempts)
            if not refused:
                return None
            for name in refused:
                attempts[str(name)] += 1
        except Exception:  # noqa: BLE001  a type's own validators can raise anything
            return None
        else:
            return params
    return None


def _value(schema: Mapping[str, Any], root: Mapping[str, Any], attempt: int, depth: int = 0) -> Any:
    if depth > _DEEPEST:
        return None
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return _value(root["$defs"][name], root, attempt, depth + 1)
    given = [*schema.get("examples", ()), *schema.get("enum", ())]
    given += [schema["const"]] if "const" in schema else []
    if given:
        return given[attempt % len(given)]
    for alternative in (*schema.get("anyOf", ()), *schema.get("oneOf", ())):
        return _value(alternative, root, attempt, depth + 1)
    return _of_kind(schema, root, attempt, depth)


def _of_kind(schema: Mapping[str, Any], root: Mapping[str, Any], attempt: int, depth: int) -> Any:
    match schema.get("type"):
        case "integer" | "number":
            return schema.get("minimum", schema.get("exclusiveMinimum", 0) + 1)
        case "boolean":
            return True
        case "array":
            return [_value(schema.get("items") or {}, root, attempt, depth + 1)]
        case "object":
            return {
                name: _value(schema["properties"][name], root, attempt, depth + 1)
                for name in schema.get("required", ())
            }
        case _:
            return _TEXTS[attempt % len(_TEXTS)]
