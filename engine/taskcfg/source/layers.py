"""What a task inherits: layers of fields, each over the one below it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any

from yaml.nodes import Node

from taskcfg.source.findings import TaskFindings
from taskcfg.source.nodes import Entries, is_null, laid_over
from taskcfg.source.references import Resolved, secrets_in
from taskcfg.source.schedules.inheriting import inherited
from taskcfg.source.task_fields import read_labels, read_retry, read_scalars
from taskcfg.spec.policy import Retry
from taskcfg.types.registry import TaskType

_MERGED = ("params", "retry", "schedule", "labels")


class Origin(StrEnum):
    """Who says what a field's value is. The last two are said by nobody in the files."""

    ENVIRONMENT = "environment"
    TASK = "task"
    FILE = "file_defaults"
    FOLDER = "folder_defaults"
    TYPE = "type"
    TASKCFG = "taskcfg"


@dataclass(frozen=True)
class Layer:
    """The fields of a task, of a file's `defaults` or of a `_defaults.yaml`, with all that lies below.

    `own` are the layer's own entries, `entries` those with what it inherits: mappings merge,
    scalars and lists replace. `scalars` and `labels` are read already; `failed` says that
    something in it or below is wrong. `digest` is that of the files of defaults it comes from.
    """

    origin: Origin
    own: Entries
    below: Layer | None
    entries: Entries
    scalars: Mapping[str, Any]
    labels: Mapping[str, str]
    failed: bool
    clears_retry: bool
    digest: bytes = b""
    _retries: dict[Retry, Retry] = field(default_factory=dict)

    def said(self, name: str) -> Iterator[Node]:
        """Yield what this layer and those below say of a field themselves, the nearest first."""
        at: Layer | None = self
        while at is not None:
            if name in at.own:
                yield at.own[name][1]
            at = at.below

    def retry_over(self, base: Retry, findings: TaskFindings) -> Retry:
        """Return what all layers say of `retry`, over *base*, the type's own."""
        if "retry" not in self.own and self.below is not None:
            return self.below.retry_over(base, findings)
        if base not in self._retries:
            self._retries[base] = read_retry(Retry() if self.clears_retry else base, self.entries, findings)
        return self._retries[base]


NOTHING = Layer(Origin.TASKCFG, {}, None, {}, {}, {}, failed=False, clears_retry=False)
"""Where nothing is inherited."""


def lay(
    own: Entries,
    below: Layer,
    origin: Origin,
    findings: TaskFindings,
    entries: Entries | None = None,
    task_type: TaskType | None = None,
) -> Layer:
    """Return the layer of *own* fields over *below*; what is wrong in them goes to *findings*.

    *entries* are those of `merged`, where they are known already. The *task_type* only serves hints.
    """
    _check_secrets(own, findings)
    scalars = {**below.scalars, **read_scalars(own, task_type, findings)}
    labels = read_labels(below.labels, own, findings)
    clears_retry = below.clears_retry or ("retry" in own and is_null(own["retry"][1]))
    if entries is None:
        entries = merged(own, below, findings)
    return Layer(origin, own, below, entries, scalars, labels, below.failed or findings.failed, clears_retry)


def merged(own: Entries, below: Layer, findings: TaskFindings) -> Entries:
    """Return *own* over what lies *below*: mappings merge, scalars and lists replace."""
    entries = {**below.entries, **own}
    for name in _MERGED:
        if name in own and name in below.entries:
            (key, value), base = own[name], below.entries[name][1]
            if name == "schedule":
                entries[name] = key, inherited(below.said("schedule"), value, findings.findings)
            else:
                entries[name] = key, laid_over(base, value, findings.findings)
    return entries


def _check_secrets(own: Entries, findings: TaskFindings) -> None:
    if not findings.findings.references.found_secrets:
        return
    for name, (_, value) in own.items():
        if name == "params":
            continue
        for node in secrets_in(value):
            findings.add(name, node, "a secret can stand only inside `params`", "write the value itself")
            tag: Any = replace(node.tag, broken=True) if isinstance(node.tag, Resolved) else node.tag
            node.tag = tag
