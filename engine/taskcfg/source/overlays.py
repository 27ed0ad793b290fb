"""What an environment says otherwise of tasks that exist: read from a file of a task file's shape."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

from yaml.nodes import MappingNode, Node, ScalarNode

from taskcfg.problems import Position, Problem, Severity
from taskcfg.source.findings import Findings, did_you_mean
from taskcfg.source.nodes import Entries, entries_of, is_null, value_of
from taskcfg.source.top_level import check_top
from taskcfg.source.yaml_reader import read_yaml
from taskcfg.spec.fields import InvalidValue, task_name
from taskcfg.spec.shown import shown


@dataclass(frozen=True, slots=True)
class Overlaid:
    """What an environment says of one task: its own fields, over the `defaults` beside it."""

    key: ScalarNode
    place: Position
    own: Entries
    defaults: Entries


@dataclass(frozen=True, slots=True)
class Overlay:
    """What *environment* says in *file*, by the names of tasks. `digest` is that of what the file says."""

    environment: str
    file: str
    tasks: Mapping[str, Overlaid]
    digest: bytes = b""

    def unknown(self, declared: Collection[str]) -> Iterator[Problem]:
        """Yield a problem for each task that is not one of *declared*."""
        for name, overlaid in self.tasks.items():
            if name not in declared:
                hint = did_you_mean(name, declared) or "an environment only changes tasks that exist"
                message = f"no task is named {shown(name)}"
                yield Problem(overlaid.place, message, hint, task=name)

    def report(self, problems: Iterable[Problem], findings: Findings) -> None:
        """Add the *problems* that tasks have in this environment to those they have anyway.

        One that stands in another file than the environment's says where it comes up.
        """
        known = {(problem.position, problem.message) for problem in findings.problems}
        for problem in problems:
            if (problem.position, problem.message) in known:
                continue
            elsewhere = problem.position.file != self.file
            where = f" (in environment `{self.environment}`)" if elsewhere else ""
            findings.take(replace(problem, message=f"{problem.message}{where}"))


def read_overlay(content: bytes, environment: str, findings: Findings) -> Overlay:
    """Read what *environment* says; what is wrong with the file itself goes to *findings*."""
    tasks: dict[str, Overlaid] = {}
    for root in read_yaml(content, findings):
        if is_null(root):
            continue
        if not isinstance(root, MappingNode):
            findings.add(root, "expected a mapping with `tasks`", hint="begin the file with `tasks:`")
            continue
        for name, overlaid in _overlaid(root, findings):
            first = tasks.setdefault(name, overlaid)
            if first is not overlaid:
                findings.add(first.place, f"task `{name}` is declared twice", task=name, also=overlaid.place)
    return Overlay(environment, findings.file, tasks)


def _overlaid(root: MappingNode, findings: Findings) -> Iterator[tuple[str, Overlaid]]:
    top = entries_of(root, findings)
    check_top(top, findings)
    defaults = _fields(top["defaults"][1], "defaults", findings) if "defaults" in top else {}
    tasks = (
        _fields(top["tasks"][1], "tasks", findings, "task `{}` is declared twice") if "tasks" in top else {}
    )
    if defaults and not tasks:
        hint = "they are for the tasks that stand beside them: name these, as in `nightly: {}`"
        place = top["defaults"][0]
        findings.add(place, "these defaults are for no task", hint=hint, severity=Severity.WARNING)
    for key, node in tasks.values():
        try:
            name = task_name(key.value)
        except InvalidValue as error:
            findings.add(key, str(error), hint=error.hint, task=key.value)
            continue
        own = _fields(node, f"task `{name}`", findings, task=name)
        yield name, Overlaid(key, findings.position(key), own, defaults)


def _fields(
    node: Node, what: str, findings: Findings, twice: str = "`{}` is given twice", task: str | None = None
) -> Entries:
    if isinstance(node, MappingNode):
        return entries_of(node, findings, twice)
    if not is_null(node):
        found = shown(value_of(node, findings))
        findings.add(node, f"{what}: expected a mapping, found {found}", task=task)
    return {}
