"""The JSON Schema of a type's params: Pydantic's, with durations as task files write them."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaMode, JsonSchemaValue, JsonSchemaWarningKind
from pydantic_core import CoreSchema, core_schema

from taskcfg.spec.duration import EXPECTED, LONGEST, SKETCH, duration_text
from taskcfg.types.declare import TaskType

DURATION: dict[str, Any] = {
    "type": ["string", "number"],
    "pattern": SKETCH,
    "patternErrorMessage": f"expected {EXPECTED.replace('`', '')}",
    "minimum": 0,
    "maximum": int(LONGEST.total_seconds()),
    "examples": ["90s", "15m", "6h", "30d", "1h30m"],
}
"""A keyword binds only values of its own kind: the pattern text, the bounds numbers."""

_MODE: JsonSchemaMode = "validation"


def params_schema(task_type: TaskType, ref_template: str = "#/$defs/{model}") -> dict[str, Any]:
    """Return the JSON Schema of what *task_type* takes as `params`."""
    schema: dict[str, Any] = task_type.params_model.model_json_schema(
        by_alias=True, mode=_MODE, schema_generator=_Generator, ref_template=ref_template
    )
    return schema


class _Generator(GenerateJsonSchema):
    ignored_warning_kinds: set[JsonSchemaWarningKind] = {"skipped-choice", "non-serializable-default"}  # noqa: RUF012 as its base declares it

    def field_title_should_be_set(self, schema: Any) -> bool:
        return False

    def timedelta_schema(self, schema: core_schema.TimedeltaSchema) -> JsonSchemaValue:
        return dict(DURATION)

    def encode_default(self, dft: Any) -> Any:
        return duration_text(dft) if isinstance(dft, timedelta) else super().encode_default(dft)

    def function_before_schema(self, schema: core_schema.BeforeValidatorFunctionSchema) -> JsonSchemaValue:
        """What a validator makes of its input is unknown, unless it says so itself; ours are durations."""
        found = super().function_before_schema(schema)
        if schema["schema"]["type"] == "timedelta" or schema.get("json_schema_input_schema"):
            return found
        return {"anyOf": [found, {}]}

    def function_wrap_schema(self, schema: core_schema.WrapValidatorFunctionSchema) -> JsonSchemaValue:
        found = super().function_wrap_schema(schema)
        return found if schema.get("json_schema_input_schema") else {"anyOf": [found, {}]}

    def handle_invalid_for_json_schema(self, schema: CoreSchema, error_info: str) -> JsonSchemaValue:
        return {}

    def model_schema(self, schema: core_schema.ModelSchema) -> JsonSchemaValue:
        found = super().model_schema(schema)
        found.pop("title", None)
        model: type[BaseModel] = schema["cls"]
        if model.model_config.get("validate_by_name") or model.model_config.get("populate_by_name"):
            properties = found.get("properties", {})
            for name, field in model.model_fields.items():
                if field.alias in properties:
                    properties.setdefault(name, properties[field.alias])
                    found["required"] = [each for each in found.get("required", []) if each != field.alias]
        return found
