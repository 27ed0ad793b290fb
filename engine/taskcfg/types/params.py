"""The base class of every type's parameters."""

from __future__ import annotations

from typing import Any, cast, get_args

from pydantic import BaseModel, ConfigDict, GetCoreSchemaHandler
from pydantic_core import CoreSchema, core_schema

from taskcfg.spec.duration import parse_duration, seconds

_OPAQUE = ("metadata", "serialization", "default", "cls", "config", "ref", "function")
"""Parts of a schema that hold values, not schemas."""


def _with_durations(schema: Any) -> Any:
    """Return a copy of *schema* in which every timedelta is read and written as a duration of ours."""
    if isinstance(schema, list | tuple):
        return type(schema)(_with_durations(item) for item in schema)
    if not isinstance(schema, dict):
        return schema
    if schema.get("type") == "timedelta":
        return core_schema.no_info_before_validator_function(
            parse_duration,
            cast(CoreSchema, schema),
            serialization=core_schema.plain_serializer_function_ser_schema(seconds, when_used="json"),
        )
    # A mapping of field names to schemas has no `type` of its own, and may hold any name.
    opaque = _OPAQUE if isinstance(schema.get("type"), str) else ()
    return {key: value if key in opaque else _with_durations(value) for key, value in schema.items()}


class Params(BaseModel):
    """What a task of one type needs to know: a closed, frozen Pydantic model.

    An unknown field is an error. A `timedelta` takes every spelling of a duration that task
    files know (`90s`, `1h30m`, `PT15M`, a number of seconds) and is stored as seconds, also
    in a list, a mapping or another `Params`.
    """

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        validate_default=True,
        allow_inf_nan=False,
        serialize_by_alias=True,
        hide_input_in_errors=True,
    )

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return cast(CoreSchema, _with_durations(handler(source)))


def nested_models(model: type[BaseModel]) -> list[type[BaseModel]]:
    """Return the models that the fields of *model* hold, at any depth, each once."""
    found: dict[type[BaseModel], None] = {}
    waiting = [field.annotation for field in model.model_fields.values()]
    while waiting:
        annotation = waiting.pop()
        arguments = get_args(annotation)
        waiting += arguments
        if arguments or not isinstance(annotation, type) or not issubclass(annotation, BaseModel):
            continue
        if annotation not in found and annotation is not model:
            found[annotation] = None
            waiting += [field.annotation for field in annotation.model_fields.values()]
    return list(found)
