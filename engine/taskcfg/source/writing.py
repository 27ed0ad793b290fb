"""Specs to task files: the way back, such that what is written reads as the same tasks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any

import yaml

from taskcfg.source.formatting.arranging import place_of
from taskcfg.source.nodes import reads_as_text
from taskcfg.source.references import escaped
from taskcfg.spec.calendar import Calendar
from taskcfg.spec.duration import duration_text
from taskcfg.spec.policy import Policy
from taskcfg.spec.secrets import with_secrets
from taskcfg.spec.task import TaskSpec
from taskcfg.types.registry import Registry, TaskType

_DURATIONS = ("timeout", "catch_up_window", "expires", "jitter", "expect_success_within")
_RETRY_DURATIONS = ("delay", "max_delay")
_CALENDARS = ("skip_on", "only_on")
_ALWAYS = ("type", "schedule")

WIDEST = 1_000_000
"""Columns: text is never folded."""


def declaration_of(spec: TaskSpec, registry: Registry) -> dict[str, Any]:
    """Return the fields that a task file needs to declare *spec*, those left out that are its type's
    defaults or taskcfg's own; all params of a type that is not known here."""
    task_type = registry.find(spec.type)
    defaults = _defaults_of(spec, task_type).document()
    declared = {
        name: value
        for name, value in spec.document().items()
        if name in _ALWAYS or (name != "params" and value != defaults[name])
    }
    params = _needed_params(spec.params, task_type)
    if params:
        declared["params"] = _params_written(params)
    return {
        name: value if name == "params" else escaped_values(_in_words(name, value))
        for name, value in sorted(declared.items(), key=lambda item: place_of(item[0]))
    }


def file_text(declarations: Mapping[str, Mapping[str, Any]]) -> str:
    """Return the text of a task file with these tasks, by name, in the canonical layout."""
    if not declarations:
        return "tasks: {}\n"
    blocks = [_block({"tasks": {name: dict(declarations[name])}}) for name in sorted(declarations)]
    return "tasks:\n" + "\n".join(block.removeprefix("tasks:\n") for block in blocks)


def calendar_text(calendar: Calendar) -> str:
    """Return the text of the file of a calendar with these days."""
    document = calendar.document()
    return _block({name: days for name, days in document.items() if days} or {"dates": []})


def escaped_values(value: Any) -> Any:
    """Return *value* with every text in it written such that nothing in it is a reference."""
    if isinstance(value, str):
        return escaped(value)
    if isinstance(value, Mapping):
        return {key: escaped_values(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [escaped_values(item) for item in value]
    return value


def _defaults_of(spec: TaskSpec, task_type: TaskType | None) -> TaskSpec:
    bare = TaskSpec(spec.name, spec.type)
    if task_type is None:
        return replace(bare, policy=Policy())
    return replace(bare, policy=task_type.policy, queue=task_type.queue, priority=task_type.priority)


def _needed_params(params: Mapping[str, Any], task_type: TaskType | None) -> dict[str, Any]:
    """Return the params without which the type's model would not give the same."""
    if task_type is None:
        return dict(params)
    needed = dict(params)
    for name in params:
        fewer = {key: value for key, value in needed.items() if key != name}
        if _canonical(task_type, fewer) == params:
            needed = fewer
    return needed


def _canonical(task_type: TaskType, params: Mapping[str, Any]) -> Mapping[str, Any] | None:
    try:
        return task_type.canonical_params(params)
    except Exception:  # noqa: BLE001  # a type's own validators can raise anything
        return None


def _params_written(value: Any) -> Any:
    """Return stored params as a file has them: references to secrets stay, all else is text."""
    if isinstance(value, str):
        return _text_written(value)
    if isinstance(value, Mapping):
        return {key: _params_written(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_params_written(item) for item in value]
    return value


def _text_written(stored: str) -> str:
    names: list[str] = []

    def mark(name: str) -> str:
        names.append(name)
        return "\0"  # which no stored text holds

    literals = with_secrets(stored, mark).split("\0")
    text = "".join(
        f"{escaped(literal, before_reference=True)}${{secret:{name}}}"
        for literal, name in zip(literals, names, strict=False)
    )
    return text + escaped(literals[-1])


def _in_words(name: str, value: Any) -> Any:
    """Return the document's *value* of a field as people write it."""
    if name in _DURATIONS and value is not None:
        return _duration(value)
    if name == "retry":
        return {key: _duration(item) if key in _RETRY_DURATIONS else item for key, item in value.items()}
    if name == "schedule":
        return [_part_in_words(part) for part in value] if isinstance(value, list) else _part_in_words(value)
    return value


def _part_in_words(part: Any) -> Any:
    """Return one schedule's document as people write it: calendars by their names alone."""
    if not isinstance(part, Mapping):
        return part
    words: dict[str, Any] = {
        key: [each["calendar"] for each in part[key]] for key in _CALENDARS if key in part
    }
    if "every" in part:
        words["every"] = _duration(part["every"])
    return {**part, **words}


def _duration(seconds: float) -> str:
    return duration_text(timedelta(seconds=seconds))


class _Dumper(yaml.SafeDumper):
    """PyYAML's, whose quotes are for readers of YAML 1.1; those of YAML 1.2 need some more."""

    def ignore_aliases(self, data: Any) -> bool:
        return True

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:
        super().increase_indent(flow, False)  # the layout indents lists


def _represent_text(dumper: _Dumper, text: str) -> yaml.ScalarNode:
    style = "|" if "\n" in text else None
    if not reads_as_text(text):
        style = "'"
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Dumper.add_representer(str, _represent_text)


def _block(document: Any) -> str:
    text: str = yaml.dump(
        document, Dumper=_Dumper, allow_unicode=True, default_flow_style=False, sort_keys=False, width=WIDEST
    )
    return text
