"""One task file to specs: what may stand in it, what a task inherits, and every problem at once."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from yaml.nodes import MappingNode, Node, ScalarNode

from taskcfg.problems import Position, Problem, Severity
from taskcfg.source.findings import Findings, TaskFindings, did_you_mean
from taskcfg.source.misfits import report_misfits
from taskcfg.source.nodes import Entries, entries_of, is_null, laid_over, value_of
from taskcfg.source.parameters import read_params
from taskcfg.source.schedules import inherited, read_schedule
from taskcfg.source.task_fields import read_retry, read_scalars
from taskcfg.source.yaml_reader import read_yaml
from taskcfg.spec.cron import LATER
from taskcfg.spec.fields import InvalidValue, shown, task_name
from taskcfg.spec.policy import Policy, Retry
from taskcfg.spec.schedule import Schedule
from taskcfg.spec.task import TaskSpec
from taskcfg.spec.timetable import zone_named
from taskcfg.types.registry import LATER as LATER_TYPES
from taskcfg.types.registry import Registry, TaskType

TOP_LEVEL = ("tasks", "defaults")
_POLICY = ("timeout", "overlap", "catch_up", "expires", "delivery")


@dataclass(frozen=True, slots=True)
class Declared:
    """A task's name and where it stands; `spec` is None when there are problems with it."""

    name: str
    position: Position
    spec: TaskSpec | None


@dataclass(frozen=True, slots=True)
class FileReading:
    """What one file declares, in its order, and what is wrong with it."""

    tasks: tuple[Declared, ...]
    problems: tuple[Problem, ...]


def read_file(content: bytes, file: str, registry: Registry, now: datetime) -> FileReading:
    """Read one task file. *file* is its name in positions; *now* only serves warnings."""
    findings = Findings(file)
    root = read_yaml(content, findings)
    tasks = _FileReader(findings, registry, now).read(root) if root is not None else ()
    if root is None and not findings.problems:
        _warn_empty(findings)
    return FileReading(tuple(tasks), tuple(findings.problems))


def _warn_empty(findings: Findings) -> None:
    findings.add(Position(findings.file, 1, 1), "the file declares no tasks", severity=Severity.WARNING)


class _FileReader:
    def __init__(self, findings: Findings, registry: Registry, now: datetime) -> None:
        self._findings = findings
        self._registry = registry
        self._now = now
        self._defaults: Entries = {}
        self._default_scalars: dict[str, Any] = {}
        self._default_retries: dict[Retry, Retry] = {}
        self._defaults_fail = False

    def read(self, root: Node) -> list[Declared]:
        if is_null(root):
            _warn_empty(self._findings)
            return []
        if not isinstance(root, MappingNode):
            self._findings.add(root, "expected a mapping with `tasks`", hint="begin the file with `tasks:`")
            return []
        top = entries_of(root, self._findings)
        self._check_top(top)
        if "defaults" in top and not is_null(top["defaults"][1]):
            self._read_defaults(top["defaults"][1])
        if "tasks" not in top:
            if not self._findings.problems:
                _warn_empty(self._findings)
            return []
        return self._read_tasks(top["tasks"][1])

    def _check_top(self, top: Entries) -> None:
        for name, (key, value) in top.items():
            if name in TOP_LEVEL:
                continue
            if name.startswith("x-"):
                self._findings.add(key, f"{name}: {LATER}", hint="remove it; it comes with a later version")
                continue
            hint = did_you_mean(name, TOP_LEVEL)
            if isinstance(value, MappingNode) and {"type", "schedule"} & set(
                entries_of(value, self._findings)
            ):
                hint = "tasks stand under `tasks:`"
            self._findings.add(key, f"{name}: unknown field", hint=hint)

    def _read_defaults(self, node: Node) -> None:
        if not isinstance(node, MappingNode):
            found = shown(value_of(node, self._findings))
            self._findings.add(node, f"defaults: expected a mapping, found {found}", field="defaults")
            return
        self._defaults = entries_of(node, self._findings)
        findings = TaskFindings(self._findings, None, node)
        self._default_scalars = read_scalars(self._defaults, None, findings)
        read_retry(Retry(), self._defaults, findings)
        self._defaults_fail = findings.failed

    def _read_tasks(self, node: Node) -> list[Declared]:
        if is_null(node) or not node.value:
            _warn_empty(self._findings)
            return []
        if not isinstance(node, MappingNode):
            found = shown(value_of(node, self._findings))
            hint = "write each task's name, a colon, and its fields below it"
            self._findings.add(node, f"tasks: expected a mapping, found {found}", hint=hint, field="tasks")
            return []
        entries = entries_of(node, self._findings, "task `{}` is declared twice")
        return [self._read_task(key, value) for key, value in entries.values()]

    def _read_task(self, key: ScalarNode, node: Node) -> Declared:
        findings = TaskFindings(self._findings, key.value, key)
        try:
            findings.task = task_name(key.value)
        except InvalidValue as error:
            self._findings.add(key, str(error), hint=error.hint, task=key.value)
            findings.failed = True
        own: Entries = {}
        if isinstance(node, MappingNode):
            own = entries_of(node, self._findings)
        elif not is_null(node):
            found = shown(value_of(node, self._findings))
            self._findings.add(
                node, f"task `{findings.task}`: expected a mapping, found {found}", task=findings.task
            )
            findings.failed = True
        readable = not findings.failed or own
        spec = self._read_spec(own, findings) if readable else None
        return Declared(findings.task or "", self._findings.position(key), spec)

    def _read_spec(self, own: Entries, findings: TaskFindings) -> TaskSpec | None:
        entries = self._with_defaults(own, findings)
        task_type = self._read_type(entries, findings)
        scalars = self._default_scalars | read_scalars(own, task_type, findings)
        schedule = self._read_schedule(entries, scalars.get("timezone", "UTC"), findings)
        base = task_type.policy if task_type else Policy()
        retry = self._read_retry(base.retry, own, entries, findings)
        params = read_params(task_type, entries.get("params"), findings) if task_type else None
        if task_type is None or schedule is None or params is None or findings.failed or self._defaults_fail:
            return None
        rules = {name: scalars.pop(name) for name in _POLICY if name in scalars}
        spec = TaskSpec(
            name=findings.task or "",
            type=task_type.name,
            schedule=schedule,
            params=params,
            policy=replace(base, retry=retry, **rules),
            position=self._findings.position(findings.name),
            **{"queue": task_type.queue, "priority": task_type.priority, **scalars},
        )
        report_misfits(self._registry.misfits(spec), entries, findings)
        return None if findings.failed else spec

    def _with_defaults(self, own: Entries, findings: TaskFindings) -> Entries:
        """Return *own* over the defaults: mappings merge, scalars and lists replace."""
        merged = {**self._defaults, **own}
        for name in ("params", "retry", "schedule"):
            if name in own and name in self._defaults:
                (key, value), base = own[name], self._defaults[name][1]
                if name == "schedule":
                    merged[name] = key, inherited(base, value, findings)
                else:
                    merged[name] = key, laid_over(base, value, self._findings)
        return merged

    def _read_retry(self, base: Retry, own: Entries, entries: Entries, findings: TaskFindings) -> Retry:
        if "retry" in own:
            return read_retry(base, entries, findings)
        if base not in self._default_retries:
            self._default_retries[base] = read_retry(base, self._defaults, findings)
        return self._default_retries[base]

    def _read_type(self, entries: Entries, findings: TaskFindings) -> TaskType | None:
        entry = entries.get("type")
        if entry is None or is_null(entry[1]):
            names = ", ".join(f"`{name}`" for name in self._registry.names())
            findings.add("type", entry[1] if entry else findings.name, "missing", f"the types are {names}")
            return None
        name = value_of(entry[1], self._findings)
        if not isinstance(name, str):
            findings.add("type", entry[1], f"expected a type's name, found {shown(name)}")
            return None
        task_type = self._registry.find(name)
        if task_type is None:
            missing = f"`{name}` is {LATER}" if name in LATER_TYPES else f"no type is named {shown(name)}"
            findings.add("type", entry[1], missing, self._registry.hint(name))
        return task_type

    def _read_schedule(self, entries: Entries, zone: str, findings: TaskFindings) -> Schedule | None:
        entry = entries.get("schedule")
        if entry is None or is_null(entry[1]):
            hint = "say when it runs, such as `schedule: {every: 15m}`, or `schedule: manual`"
            findings.add("schedule", entry[1] if entry else findings.name, "missing", hint)
            return None
        return read_schedule(entry[1], zone_named(zone), self._now, findings)
