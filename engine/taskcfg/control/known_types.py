"""The registered types, described: what `taskcfg types` shows. Needs no database."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from taskcfg.settings import Settings
from taskcfg.source.writing import file_text
from taskcfg.spec.fires import celery_task_name
from taskcfg.spec.policy import Policy
from taskcfg.spec.task import DEFAULT_PRIORITY
from taskcfg.types.example import example_params
from taskcfg.types.params_schema import params_schema
from taskcfg.types.registry import TaskType, types_of


@dataclass(frozen=True, slots=True)
class Param:
    """A field of a type's params, in words."""

    name: str
    kind: str
    default: Any
    required: bool
    description: str | None


@dataclass(frozen=True, slots=True)
class KnownType:
    """A registered type. `defaults` are those that differ from taskcfg's own."""

    name: str
    celery_task: str
    module: str
    summary: str
    params_schema: Mapping[str, Any]
    defaults: Mapping[str, Any]
    example: str | None

    @property
    def params(self) -> tuple[Param, ...]:
        required = self.params_schema.get("required", ())
        return tuple(
            Param(name, kind_of(schema), schema.get("default"), name in required, schema.get("description"))
            for name, schema in self.params_schema.get("properties", {}).items()
        )

    def document(self) -> dict[str, Any]:
        """Return the JSON shape of an entry of `taskcfg types`."""
        return {
            "name": self.name,
            "celery_task": self.celery_task,
            "module": self.module,
            "summary": self.summary,
            "defaults": dict(self.defaults),
            "params_schema": dict(self.params_schema),
            "example": self.example,
        }


def known_types(settings: Settings, name: str | None = None) -> list[KnownType]:
    """Return the registered types by name, or the one of that *name*. Raises UnknownType, InvalidType."""
    registry = types_of(settings)
    return [_known(task_type) for task_type in ([registry.named(name)] if name else registry)]


def kind_of(schema: Mapping[str, Any]) -> str:
    """Return in a few words what values a JSON Schema takes."""
    if "enum" in schema or "const" in schema:
        values = schema.get("enum", [schema.get("const")])
        once = {str(value).lower(): value for value in reversed(values)}
        return " or ".join(f"`{value}`" for value in reversed(once.values()))
    alternatives = schema.get("anyOf") or schema.get("oneOf")
    if alternatives:
        words = dict.fromkeys(kind_of(each) for each in alternatives if each.get("type") != "null")
        return "anything" if "anything" in words else " or ".join(words)
    if "$ref" in schema:
        return "mapping"
    match schema.get("type"):
        case "array":
            inner = kind_of(schema.get("items") or {})
            return "list" if inner == "anything" else f"list of {inner}"
        case ["string", "number"]:
            return "duration"
        case str(kind):
            return _KINDS.get(kind, kind)
        case _:
            return "anything"


_KINDS = {
    "string": "text",
    "integer": "whole number",
    "number": "number",
    "boolean": "`true` or `false`",
    "object": "mapping",
    "null": "nothing",
}


def _known(task_type: TaskType) -> KnownType:
    schema = params_schema(task_type)
    params = example_params(task_type, schema)
    example = None
    if params is not None:
        task: dict[str, Any] = {"type": task_type.name, "schedule": {"cron": "30 3 * * *"}}
        example = file_text({f"my-{task_type.name}": task | ({"params": params} if params else {})})
    return KnownType(
        task_type.name,
        celery_task_name(task_type.name),
        task_type.module,
        task_type.summary,
        schema,
        _own_defaults(task_type),
        example,
    )


def _own_defaults(task_type: TaskType) -> dict[str, Any]:
    usual = {"queue": None, "priority": DEFAULT_PRIORITY, **Policy().document()}
    own = {"queue": task_type.queue, "priority": task_type.priority, **task_type.policy.document()}
    return {name: value for name, value in own.items() if value != usual[name]}
