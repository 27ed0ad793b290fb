"""The `params` of a task, checked by its type's model; the model's errors in our words, at their places."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails
from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from taskcfg.source.findings import TaskFindings, did_you_mean
from taskcfg.source.nodes import entries_of, is_null, value_of
from taskcfg.source.references import Resolved, secrets_in
from taskcfg.source.wording import Wording, mismatch, worded
from taskcfg.spec.shown import shown
from taskcfg.types.registry import TaskType

SECRET_HINT = "a secret can stand only where the type takes plain text, and keeps it as it is"


def read_params(
    task_type: TaskType, place: Node, node: Node | None, findings: TaskFindings
) -> dict[str, Any] | None:
    """Return the params as they are stored, or None when *findings* got what is wrong with them.

    *place* is where to report what is missing; *node* is the value of `params`, None when the
    task has none.
    """
    node = node if node is not None and not is_null(node) else None
    if node is not None and not isinstance(node, MappingNode):
        found = shown(value_of(node, findings.findings))
        findings.add("params", node, f"expected a mapping, found {found}")
        return None
    try:
        stored = task_type.canonical_params(value_of(node, findings.findings) if node else {})
    except ValidationError as error:
        reader = _ErrorReader(task_type.params_model, place, node, findings)
        reader.report(error.errors(include_url=False))
    except ValueError as error:
        findings.add("params", place, str(error))
    except Exception as error:  # noqa: BLE001  # a type's own validators can raise anything
        reason = f"the check of type `{task_type.name}` failed: {type(error).__name__}: {error}"
        findings.add("params", place, reason, f"mend {task_type.module}")
    else:
        return stored if _keeps_secrets(stored, node, task_type, findings) else None
    return None


def _keeps_secrets(
    stored: Mapping[str, Any], node: Node | None, task_type: TaskType, findings: TaskFindings
) -> bool:
    """Report the texts with secrets that the type's model did not keep as they are."""
    if node is None or not findings.findings.references.found_secrets:
        return True
    kept = set(_texts_in(stored))
    changed = [secret for secret in secrets_in(node) if secret.value not in kept]
    for secret in changed:
        reason = f"type `{task_type.name}` changes the text {shown(secret.value)}"
        findings.add(_path_to(secret, node, "params", findings), secret, reason, SECRET_HINT)
    return not changed


def _texts_in(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from _texts_in(item)
    elif isinstance(value, list):
        for item in value:
            yield from _texts_in(item)


def _path_to(wanted: Node, node: Node, path: str, findings: TaskFindings) -> str:
    """Return the dotted path of *wanted*, a value in *node*; *path* where it is not reached by one."""
    if isinstance(node, MappingNode):
        inside = [
            (f"{path}.{name}", value) for name, (_, value) in entries_of(node, findings.findings).items()
        ]
    else:
        inside = [(f"{path}[{place}]", item) for place, item in enumerate(node.value)]
    for name, value in inside:
        if value is wanted:
            return name
        if not isinstance(value, ScalarNode) and any(secret is wanted for secret in secrets_in(value)):
            return _path_to(wanted, value, name, findings)
    return path


Path = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class _Mistake:
    """One error of the model. `tried`: it is about one of several alternatives that the model tried."""

    path: Path
    place: Node
    wording: Wording
    tried: bool
    value: Any


@dataclass(frozen=True, slots=True)
class _ErrorReader:
    """Finds the places of a model's errors in the file and reports them; `key` is that of the params."""

    model: type[BaseModel]
    key: Node
    node: MappingNode | None
    findings: TaskFindings

    def report(self, details: Sequence[ErrorDetails]) -> None:
        for mistake in _settled([self._located(detail) for detail in details]):
            field = "params" + "".join(
                f"[{part}]" if isinstance(part, int) else f".{part}" for part in mistake.path
            )
            hint = mistake.wording.hint
            if _is_secret(mistake.place):
                hint = SECRET_HINT
            self.findings.add(field, mistake.place, mistake.wording.message, hint)

    def _located(self, detail: ErrorDetails) -> _Mistake:
        """Follow the error's location through the nodes; what is no key there names an alternative."""
        path: list[str | int] = []
        key, tried = self.key, False
        node: Node | None = self.node
        for place, part in enumerate(detail["loc"], start=1):
            entry = _entry(node, part, self.findings)
            if entry is not None:
                path.append(part)
                key, node = entry
            elif place == len(detail["loc"]) and (detail["type"] == "missing" or self._is_absent(path, part)):
                path.append(part)
                node = None
            else:
                tried = True
        if node is not None and isinstance(node.tag, Resolved):
            detail["input"] = node.tag.written  # a validator may have turned it into something else
        wording = worded(detail)
        if detail["type"] == "extra_forbidden":
            known = _fields_at(self.model, path[:-1])
            return _Mistake(
                tuple(path), key, replace(wording, hint=did_you_mean(str(path[-1]), known)), tried, None
            )
        return _Mistake(tuple(path), node or key, wording, tried, detail["input"])

    def _is_absent(self, path: Path | list[str | int], part: str | int) -> bool:
        return not path and part in _fields_at(self.model, ())


def _is_secret(node: Node) -> bool:
    return isinstance(node.tag, Resolved) and node.tag.has_secret


def _entry(node: Node | None, part: str | int, findings: TaskFindings) -> tuple[Node, Node] | None:
    """Return key and value of *part* in *node*; an item of a list is its own key."""
    if isinstance(node, MappingNode):
        return entries_of(node, findings.findings).get(str(part))
    if isinstance(node, SequenceNode) and isinstance(part, int) and part < len(node.value):
        return node.value[part], node.value[part]
    return None


def _settled(mistakes: Sequence[_Mistake]) -> Iterator[_Mistake]:
    """Yield the mistakes, the alternatives of one value made into one.

    Where an alternative went deeper into the value than others, it is the one that was meant.
    """
    tried: dict[Path, list[_Mistake]] = {}
    for mistake in mistakes:
        if mistake.tried:
            tried.setdefault(mistake.path, []).append(mistake)
        else:
            yield mistake
    for path, alternatives in tried.items():
        if any(len(other) > len(path) and other[: len(path)] == path for other in tried):
            continue
        expected = [mistake.wording.expected for mistake in alternatives]
        words = [word for word in dict.fromkeys(expected) if word is not None]
        first = alternatives[0]
        if len(words) > 1 and None not in expected:
            yield replace(first, wording=mismatch(" or ".join(words), first.value))
        else:
            yield first


def _fields_at(model: Any, path: Sequence[str | int]) -> dict[str, Any]:
    """Return the fields, by the names users write, of the model that stands at *path*."""
    fields = {field.alias or name: field.annotation for name, field in model.model_fields.items()}
    for place, part in enumerate(path):
        if isinstance(part, str) and part in fields:
            inner = next(_models_in(fields[part]), None)
            return _fields_at(inner, path[place + 1 :]) if inner else {}
    return fields


def _models_in(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for argument in get_args(annotation):
        yield from _models_in(argument)
