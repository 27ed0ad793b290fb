"""Declaring a task type: the decorator, and what it asks of the function."""

from __future__ import annotations

import inspect
import math
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, TypeVar

from taskcfg.errors import InvalidType
from taskcfg.problems import Severity
from taskcfg.settings import Settings
from taskcfg.spec.fields import (
    POLICY_FIELDS,
    RETRY_FIELDS,
    SCALAR_FIELDS,
    InvalidValue,
    checked_retry,
    retry_field,
)
from taskcfg.spec.policy import Policy, Retry
from taskcfg.spec.shown import shown
from taskcfg.spec.task import DEFAULT_PRIORITY, TaskSpec
from taskcfg.types.fire import Fire
from taskcfg.types.params import Params, nested_models

Function = TypeVar("Function", bound=Callable[..., Any])

_EMPTY = (None, list, dict, set, tuple, frozenset)
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9]*(?:[._-][A-Za-z0-9]+)*")
_BY_NAME = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
_VARIABLE = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)


@dataclass(frozen=True, slots=True)
class Misfit:
    """What cannot work in a task, though each of its fields by itself is right.

    `path` leads to the field it is about, such as `("params", "kwargs", "window")`.
    """

    path: tuple[str | int, ...]
    message: str
    hint: str | None = None
    severity: Severity = Severity.ERROR

    @property
    def field(self) -> str:
        """The path as it is written: `params.args[0]`."""
        head, *rest = self.path
        return str(head) + "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in rest)


Check = Callable[[TaskSpec, Settings | None], Iterable[Misfit]]
"""Looks at a whole task, offline; the settings are None where none are known."""


@dataclass(frozen=True)
class TaskType:
    """A type of task: a function with typed parameters, and the defaults its tasks start from.

    `queue`, `priority` and `policy` are the type's own defaults, which a task file overrides.
    `summary` is the first line of the function's docstring. `check` says what cannot work in a
    whole task of this type.
    """

    name: str
    function: Callable[..., Any] = field(compare=False)
    params_model: type[Params]
    summary: str
    module: str
    wants_fire: bool = False
    queue: str | None = None
    priority: int = DEFAULT_PRIORITY
    policy: Policy = field(default_factory=Policy)
    check: Check | None = field(default=None, compare=False)

    def canonical_params(self, params: Mapping[str, Any]) -> dict[str, Any]:
        """Return *params* as they are stored: validated, every default resolved, JSON.

        Raises pydantic.ValidationError when they do not fit, ValueError when no database could
        keep them.
        """
        meant = self.params_model.model_validate(params)
        if self._may_change and self.params_model.model_validate(params) != meant:
            raise ValueError(
                f"the params model of type `{self.name}` gives another value each time it is asked,"
                " so that every plan would change the task"
            )
        stored: dict[str, Any] = _storable(meant.model_dump(mode="json"))
        try:
            read_back: Params | None = self.params_model.model_validate(stored)
        except ValueError:  # ValidationError is one
            read_back = None
        if read_back != meant:
            raise ValueError(
                f"the params model of type `{self.name}` does not read back what it writes as JSON,"
                " so that the task would run with other params"
            )
        return stored

    @cached_property
    def _may_change(self) -> bool:
        """Whether a default is made anew for each task, by more than an empty list or the like."""
        models = [self.params_model, *nested_models(self.params_model)]
        factories = [field.default_factory for model in models for field in model.model_fields.values()]
        return any(factory not in _EMPTY for factory in factories)

    def run(self, params: Mapping[str, Any], fire: Fire) -> Any:
        """Call the function for *fire*, with *params* as they are stored, and return its result."""
        arguments: dict[str, Any] = {"params": self.params_model.model_validate(params)}
        if self.wants_fire:
            arguments["fire"] = fire
        return self.function(**arguments)


def _storable(value: Any) -> Any:
    """Return the JSON *value* as every database gives it back: PostgreSQL writes 1e22 out and drops -0."""
    if isinstance(value, dict):
        return {_storable(key): _storable(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_storable(item) for item in value]
    if isinstance(value, str):
        return _storable_text(value)
    if isinstance(value, float):
        if not math.isfinite(value):
            raise ValueError(f"{value} is not a number that can be stored")
        return int(value) if abs(value) >= 1e16 else value + 0.0
    return value


def _storable_text(text: str) -> str:
    if "\0" in text:
        raise ValueError("a NUL character cannot be stored")
    try:
        text.encode()
    except UnicodeEncodeError:
        raise ValueError(f"{text!a} holds half a character, which cannot be stored") from None
    return text


declared: dict[tuple[str, str, str], TaskType] = {}
"""Every type declared so far in this process, by module, function and name; a module imported
again replaces its own. `load_types` picks from it."""


def task_type(name: str, *, check: Check | None = None, **defaults: Any) -> Callable[[Function], Function]:
    """Declare the decorated function to be what tasks of type *name* run.

    The function takes `params`, annotated with a subclass of `Params`, and if it likes `fire`,
    a `Fire`; it stays callable. *defaults* are those of its tasks, written as in a task file:
    `queue`, `priority`, `timeout`, `retry`, `overlap`, `catch_up`, `catch_up_window`, `expires`,
    `delivery`, `jitter`.
    *check* looks at each whole task when its file is read. Raises InvalidType, naming the place,
    when the function or a default cannot be used.
    """

    if not isinstance(name, str):
        raise InvalidType(
            f"`@task_type` without a name ({_place(name)})",
            hint='write `@task_type("report")`, with the name',
        )

    def declare(function: Function) -> Function:
        label = f"type `{name}` ({_place(function)})"
        model, wants_fire = _check_signature(function, label)
        queue, priority, policy = _read_defaults(defaults, label)
        if not _NAME.fullmatch(name):
            raise InvalidType(f"{label}: a type's name has letters and digits, with `.`, `_` and `-` inside")
        summary = (inspect.getdoc(function) or "").strip().partition("\n")[0]
        module = function.__module__
        declared[module, function.__qualname__, name] = TaskType(
            name, function, model, summary, module, wants_fire, queue, priority, policy, check
        )
        return function

    return declare


def _place(function: Callable[..., Any]) -> str:
    code = getattr(function, "__code__", None)
    return f"{code.co_filename}:{code.co_firstlineno}" if code else f"{function!r}"


def _check_signature(function: Callable[..., Any], label: str) -> tuple[type[Params], bool]:
    plain = inspect.isfunction(function) and not inspect.isasyncgenfunction(function)
    if not plain or inspect.iscoroutinefunction(function) or inspect.isgeneratorfunction(function):
        raise InvalidType(
            f"{label}: expected a plain function",
            hint="write `def` with `return`, not a class, `async def` or `yield`",
        )
    parameters = inspect.signature(function).parameters
    for parameter in parameters.values():
        taken = parameter.name in ("params", "fire") and parameter.kind in _BY_NAME
        optional = parameter.default is not inspect.Parameter.empty or parameter.kind in _VARIABLE
        if not taken and not optional:
            raise InvalidType(
                f"{label}: nobody fills in its argument `{parameter.name}`",
                hint="a type's function takes `params` and, if it likes, `fire`",
            )
    if "params" not in parameters:
        raise InvalidType(f"{label}: it takes no `params`", hint="add `params: YourParams` as its argument")
    return _params_model(function, label), "fire" in parameters


def _params_model(function: Callable[..., Any], label: str) -> type[Params]:
    annotation = function.__annotations__.get("params")
    if isinstance(annotation, str):
        try:
            annotation = eval(annotation, function.__globals__)
        except NameError as error:
            raise InvalidType(
                f"{label}: the annotation of `params` cannot be resolved: {error}",
                hint="define or import the class in the module itself, before the function",
            ) from error
    if not (inspect.isclass(annotation) and issubclass(annotation, Params)):
        raise InvalidType(
            f"{label}: `params` is not annotated with a subclass of Params",
            hint="write `class YourParams(Params): …` and `params: YourParams`",
        )
    for model in nested_models(annotation):
        if "extra" not in model.model_config:
            raise InvalidType(
                f"{label}: `{model.__name__}`, inside its params, ignores fields that it does not know",
                hint=f'let `{model.__name__}` be a Params too, or give it `ConfigDict(extra="forbid")`',
            )
    return annotation


def _read_defaults(defaults: Mapping[str, Any], label: str) -> tuple[str | None, int, Policy]:
    values: dict[str, Any] = {}
    for name, value in defaults.items():
        if value is None:
            continue
        if name == "retry":
            values[name] = _read_retry(value, label)
        elif name in _DEFAULTS:
            values[name] = _checked(label, name, SCALAR_FIELDS[name], value)
        else:
            raise InvalidType(f"{label}: `{name}` is not a default that a type can have", hint=_DEFAULTS_HINT)
    queue, priority = values.pop("queue", None), values.pop("priority", DEFAULT_PRIORITY)
    return queue, priority, Policy(**values)


def _read_retry(value: Any, label: str) -> Retry:
    if not isinstance(value, Mapping):
        raise InvalidType(f"{label}: retry: expected a mapping, found {shown(value)}")
    unknown = next((name for name in value if name not in RETRY_FIELDS), None)
    if unknown is not None:
        raise InvalidType(f"{label}: retry.{unknown}: unknown field")
    changes = {
        name: _checked(label, f"retry.{name}", retry_field, name, given) for name, given in value.items()
    }
    retry: Retry = _checked(label, "retry", checked_retry, Retry(), changes)
    return retry


def _checked(label: str, name: str, read: Callable[..., Any], *arguments: Any) -> Any:
    try:
        return read(*arguments)
    except InvalidValue as error:
        raise InvalidType(f"{label}: {name}: {error}", hint=error.hint) from error


_DEFAULTS = ("queue", "priority", *POLICY_FIELDS)
_DEFAULTS_HINT = f"it can have {', '.join(f'`{name}`' for name in (*_DEFAULTS, 'retry'))}"
