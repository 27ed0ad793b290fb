"""Task files to specs: what may stand in one, and every problem at once."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from yaml.nodes import MappingNode, Node, ScalarNode

from taskcfg.problems import Position, Problem, Severity
from taskcfg.source.findings import Findings, TaskFindings
from taskcfg.source.layers import NOTHING, Layer, Origin, lay, merged
from taskcfg.source.misfits import report_misfits, report_wide_jitter
from taskcfg.source.nodes import Entries, entries_of, is_null, value_of
from taskcfg.source.overlays import Overlaid, Overlay
from taskcfg.source.parameters import read_params
from taskcfg.source.references import References
from taskcfg.source.schedules.advising import warn_of_timeout
from taskcfg.source.schedules.qualifiers import Calendars
from taskcfg.source.schedules.reading import read_schedule
from taskcfg.source.task_fields import read_renamed_from
from taskcfg.source.top_level import OWN, TOP_LEVEL, check_top
from taskcfg.source.yaml_reader import read_yaml
from taskcfg.spec.fields import POLICY_FIELDS, InvalidValue, task_name
from taskcfg.spec.policy import Policy
from taskcfg.spec.schedule import Schedule
from taskcfg.spec.shown import LATER, shown
from taskcfg.spec.task import TaskSpec
from taskcfg.spec.times.closeness import midnight
from taskcfg.spec.times.zones import zone_named
from taskcfg.types.registry import LATER as LATER_TYPES
from taskcfg.types.registry import Registry, TaskType


@dataclass(frozen=True, slots=True)
class Reading:
    """What all files of one load are read with.

    *now* only serves warnings. `calendars` are those that schedules may name; None is one whose file has
    problems, which are reported elsewhere. `traced` names the task whose layer is wanted, if one is.
    `overlay` is merged over the tasks; each of `checked` only to find what is wrong then. `policies` are
    those met so far: most tasks share theirs with others.
    """

    registry: Registry
    now: datetime
    references: References = field(default_factory=lambda: References({}))
    traced: str | None = None
    calendars: Calendars = field(default_factory=dict)
    overlay: Overlay | None = None
    checked: tuple[Overlay, ...] = ()
    policies: dict[Policy, Policy] = field(default_factory=dict)

    @property
    def today(self) -> datetime:
        """The beginning of the day (UTC): what is likely not meant is looked for from there, so that a
        file that is read twice on one day says the same."""
        return midnight(self.now)

    def findings(self, file: str) -> Findings:
        return Findings(file, self.references)


@dataclass(frozen=True, slots=True)
class Declared:
    """A task's name and where it stands; `spec` is None when there are problems with it.

    `layer` is what it says and inherits, for the task that is traced; `renamed_at` where it says which name
    it had.
    """

    name: str
    position: Position
    spec: TaskSpec | None
    layer: Layer | None = None
    renamed_at: Position | None = None


@dataclass(frozen=True, slots=True)
class FileReading:
    """What one file declares, in its order, and what is wrong with it."""

    tasks: tuple[Declared, ...]
    problems: tuple[Problem, ...]

    @property
    def specs(self) -> Iterator[TaskSpec]:
        """The specs of the tasks that have one."""
        return (task.spec for task in self.tasks if task.spec is not None)


def read_file(content: bytes, file: str, reading: Reading, below: Layer = NOTHING) -> FileReading:
    """Read one task file, whose tasks inherit from *below*. *file* is its name in positions."""
    findings = reading.findings(file)
    roots = [root for root in read_yaml(content, findings) if not is_null(root)]
    documents = [_DocumentReader(findings, reading, below) for _ in roots]
    tasks = [task for document, root in zip(documents, roots, strict=True) for task in document.read(root)]
    if not tasks and not findings.problems:
        _warn(findings, Position(file, 1, 1), "the file declares no tasks")
    elif tasks:
        for document in documents:
            document.warn_of_idle_defaults()
    return FileReading(tuple(tasks), tuple(findings.problems))


def read_defaults(
    content: bytes, file: str, reading: Reading, below: Layer
) -> tuple[Layer, Sequence[Problem]]:
    """Read a `_defaults.yaml`, a bare mapping of task fields, over *below*."""
    findings = reading.findings(file)
    roots = [root for root in read_yaml(content, findings) if not is_null(root)]
    for root in roots[1:]:
        findings.add(root, "a file of defaults is one document", hint="put all fields into the first one")
    if roots and not isinstance(roots[0], MappingNode):
        hint = "write a task's fields, such as `timezone: Europe/Berlin`"
        findings.add(roots[0], f"expected a mapping, found {shown(value_of(roots[0], findings))}", hint=hint)
    own: Entries = {}
    if roots and isinstance(roots[0], MappingNode):
        own = _without_own_keys(entries_of(roots[0], findings))
    task_findings = TaskFindings(findings, None, roots[0]) if roots else None
    if task_findings is not None:
        for name in TOP_LEVEL:
            if name in own:
                hint = "here the fields stand by themselves, and for all tasks of the folder"
                findings.add(own.pop(name)[0], f"{name}: has no place in a file of defaults", hint=hint)
    layer = below if task_findings is None else lay_defaults(own, below, Origin.FOLDER, task_findings)
    problems = tuple(findings.problems)
    failed = any(problem.severity is Severity.ERROR for problem in problems)
    return replace(layer, failed=layer.failed or failed), problems


def lay_defaults(own: Entries, below: Layer, origin: Origin, findings: TaskFindings) -> Layer:
    """Return the layer of defaults, checked as far as can be without a task's type."""
    if "renamed_from" in own:
        findings.add(
            "renamed_from", own["renamed_from"][0], "has no place in defaults", "write it in the task"
        )
    layer = lay(own, below, origin, findings)
    layer.retry_over(Policy().retry, findings)
    return replace(layer, failed=layer.failed or findings.failed)


def _without_own_keys(entries: Entries) -> Entries:
    return {name: entry for name, entry in entries.items() if not name.startswith(OWN)}


def _warn(findings: Findings, place: Node | Position, message: str, hint: str | None = None) -> None:
    findings.add(place, message, hint=hint, severity=Severity.WARNING)


class _DocumentReader:
    """Reads one document of a file; its `defaults` are for its own tasks."""

    def __init__(self, findings: Findings, reading: Reading, below: Layer) -> None:
        self._findings = findings
        self._reading = reading
        self._below = below
        self._idle_defaults: Node | None = None

    def read(self, root: Node) -> Iterator[Declared]:
        if not isinstance(root, MappingNode):
            self._findings.add(root, "expected a mapping with `tasks`", hint="begin the file with `tasks:`")
            return
        top = entries_of(root, self._findings)
        check_top(top, self._findings)
        if "defaults" in top and not is_null(top["defaults"][1]):
            self._read_defaults(*top["defaults"])
        tasks = top.get("tasks")
        if tasks is not None and not is_null(tasks[1]) and tasks[1].value:
            self._idle_defaults = None
            yield from self._read_tasks(tasks[1])

    def warn_of_idle_defaults(self) -> None:
        if self._idle_defaults is not None:
            hint = "each document has its own: write them beside the `tasks` that they are for"
            _warn(self._findings, self._idle_defaults, "these defaults are for no task", hint)

    def _read_defaults(self, key: Node, node: Node) -> None:
        if not isinstance(node, MappingNode):
            found = shown(value_of(node, self._findings))
            self._findings.add(node, f"defaults: expected a mapping, found {found}", field="defaults")
            return
        findings = TaskFindings(self._findings, None, node)
        self._below = lay_defaults(entries_of(node, self._findings), self._below, Origin.FILE, findings)
        self._idle_defaults = key

    def _read_tasks(self, node: Node) -> Iterator[Declared]:
        if not isinstance(node, MappingNode):
            found = shown(value_of(node, self._findings))
            hint = "write each task's name, a colon, and its fields below it"
            self._findings.add(node, f"tasks: expected a mapping, found {found}", hint=hint, field="tasks")
            return
        for key, value in entries_of(node, self._findings, "task `{}` is declared twice").values():
            yield self._read_task(key, value)

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
        spec, layer = None, None
        if own or not findings.failed:
            spec, layer = self._read_spec(own, findings)
            self._check_environments(own, findings)
        position = spec.position if spec and spec.position else self._findings.position(key)
        traced = layer if findings.task == self._reading.traced else None
        renamed_at = self._findings.position(own["renamed_from"][1]) if "renamed_from" in own else None
        return Declared(findings.task or "", position, spec, traced, renamed_at)

    def _check_environments(self, own: Entries, found: TaskFindings) -> None:
        """Report what would be wrong with the task in each environment that is only checked."""
        for overlay in self._reading.checked:
            if found.task not in overlay.tasks:
                continue
            findings = self._reading.findings(self._findings.file)
            reading = replace(self._reading, overlay=overlay, checked=())
            document = _DocumentReader(findings, reading, self._below)
            document._read_spec(own, TaskFindings(findings, found.task, found.name))
            overlay.report(findings.problems, self._findings)

    def _read_spec(self, own: Entries, findings: TaskFindings) -> tuple[TaskSpec | None, Layer]:
        below, origin, said = self._below, Origin.TASK, own
        overlay = self._reading.overlay
        overlaid = None if overlay is None else overlay.tasks.get(findings.task or "")
        if overlaid is not None:
            below = self._below_environment(own, overlaid, findings)
            own, origin, said = overlaid.own, Origin.ENVIRONMENT, {**own, **overlaid.own}
        entries = merged(own, below, findings)
        task_type = self._read_type(entries, findings)
        layer = lay(own, below, origin, findings, entries, task_type)
        scalars = dict(layer.scalars)
        schedule = self._read_schedule(entries, scalars.get("timezone", "UTC"), findings)
        base = task_type.policy if task_type else Policy()
        retry = layer.retry_over(base.retry, findings)
        renamed_from = read_renamed_from(said, findings)
        params = None
        if task_type:
            place = said["params"][0] if "params" in said else findings.name
            node = entries["params"][1] if "params" in entries else None
            params = read_params(task_type, place, node, findings)
        if task_type is None or schedule is None or params is None or findings.failed or layer.failed:
            return None, layer
        rules = {name: scalars.pop(name) for name in POLICY_FIELDS if name in scalars}
        policy = replace(base, retry=retry, **rules)
        spec = TaskSpec(
            name=findings.task or "",
            type=task_type.name,
            schedule=schedule,
            params=params,
            policy=self._reading.policies.setdefault(policy, policy),
            labels=dict(sorted(layer.labels.items())),
            position=self._findings.position(findings.name),
            renamed_from=renamed_from,
            **{"queue": task_type.queue, "priority": task_type.priority, **scalars},
        )
        report_wide_jitter(spec, self._reading.today, entries, findings)
        report_misfits(self._reading.registry.misfits(spec), entries, findings)
        warn_of_timeout(spec, self._reading.today, entries, findings)
        return None if findings.failed else spec, layer

    def _below_environment(self, own: Entries, overlaid: Overlaid, findings: TaskFindings) -> Layer:
        """Return the task as its own file says it, below what the environment says of it."""
        layer = lay(own, self._below, Origin.TASK, findings)
        if not overlaid.defaults:
            return layer
        about = TaskFindings(self._findings, None, overlaid.key)
        return lay_defaults(overlaid.defaults, layer, Origin.ENVIRONMENT, about)

    def _read_type(self, entries: Entries, findings: TaskFindings) -> TaskType | None:
        entry = entries.get("type")
        if entry is None or is_null(entry[1]):
            names = ", ".join(f"`{name}`" for name in self._reading.registry.names())
            findings.add("type", entry[1] if entry else findings.name, "missing", f"the types are {names}")
            return None
        name = value_of(entry[1], self._findings)
        if not isinstance(name, str):
            findings.add("type", entry[1], f"expected a type's name, found {shown(name)}")
            return None
        task_type = self._reading.registry.find(name)
        if task_type is None:
            missing = f"`{name}` is {LATER}" if name in LATER_TYPES else f"no type is named {shown(name)}"
            findings.add("type", entry[1], missing, self._reading.registry.hint(name))
        return task_type

    def _read_schedule(self, entries: Entries, zone: str, findings: TaskFindings) -> Schedule | None:
        entry = entries.get("schedule")
        if entry is None or is_null(entry[1]):
            hint = "say when it runs, such as `schedule: {every: 15m}`, or `schedule: manual`"
            findings.add("schedule", entry[1] if entry else findings.name, "missing", hint)
            return None
        reading = self._reading
        return read_schedule(entry[1], zone_named(zone), reading.now, findings, reading.calendars)
