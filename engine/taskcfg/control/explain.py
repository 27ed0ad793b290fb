"""One task as the files resolve it: each value with where it came from, the rules in words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from taskcfg.control.coming import ComingFire, coming_fires
from taskcfg.errors import InvalidTaskFiles, UnknownTask
from taskcfg.problems import Problem
from taskcfg.reconcile.plan import flattened
from taskcfg.settings import Settings
from taskcfg.source.environments import Environments
from taskcfg.source.layers import Origin
from taskcfg.source.loader import Loaded, load_files, load_folder
from taskcfg.source.origins import Said, who_says
from taskcfg.spec.clock_effects import ChangeDay, Effect, change_days
from taskcfg.spec.duration import seconds
from taskcfg.spec.instants import rfc3339
from taskcfg.spec.task import TaskSpec
from taskcfg.spec.words import clock_words, policy_words, schedule_words
from taskcfg.types.registry import Registry, TaskType, types_of

FIRES = 3

CLOCK_CHANGES_WITHIN = timedelta(days=396)
"""13 months: every change of a year at least."""


@dataclass(frozen=True, slots=True)
class Value:
    """A field as it is resolved, and who says so. `said` is None for what no file says."""

    field: str
    value: Any
    origin: Origin
    said: Said | None

    def document(self) -> dict[str, Any]:
        place = self.said.position if self.said else None
        return {
            "field": self.field,
            "value": self.value,
            "origin": self.origin.value,
            "file": place.file if place else None,
            "line": place.line if place else None,
            "reference": self.said.reference if self.said else None,
        }


@dataclass(frozen=True, slots=True)
class Explained:
    """A task, resolved. `problems` are those of other tasks in the same files.

    `clocks` says what the schedule does where clocks change, and `clock_changes` are the next ones.
    """

    spec: TaskSpec
    values: tuple[Value, ...]
    schedule: str
    clocks: tuple[str, ...]
    clock_changes: tuple[ChangeDay, ...]
    policies: dict[str, str]
    fires: tuple[ComingFire, ...]
    problems: tuple[Problem, ...]

    def document(self) -> dict[str, Any]:
        """Return the JSON shape of `taskcfg explain`."""
        position = self.spec.position
        return {
            "task": self.spec.name,
            "type": self.spec.type,
            "file": position.file if position else None,
            "line": position.line if position else None,
            "values": [value.document() for value in self.values],
            "schedule": {
                "words": self.schedule,
                "timezone": self.spec.timezone,
                "clock_policy": list(self.clocks),
            },
            "clock_changes": [_change_document(day) for day in self.clock_changes],
            "policies": dict(self.policies),
            "fires": [fire.document() for fire in self.fires],
        }


def explain(settings: Settings, name: str, now: datetime, files: Sequence[Path] = ()) -> Explained:
    """Explain the task *name* of the task files, or of *files*; offline.

    Raises UnknownTask, UnknownEnvironment, UnreadableSource, InvalidType, and InvalidTaskFiles when the
    task itself cannot be used.
    """
    registry = types_of(settings)
    loaded = _loaded(settings, registry, name, files)
    errors = loaded.errors
    found = loaded.traced
    if found is None:
        if errors and not loaded.specs:
            raise InvalidTaskFiles(loaded.errors, files=loaded.files)
        near = get_close_matches(name, [spec.name for spec in loaded.specs], n=1)
        raise UnknownTask(name, did_you_mean=near[0] if near else None)
    if found.spec is None or found.layer is None:
        raise InvalidTaskFiles(loaded.errors, files=loaded.files)
    spec, task_type = found.spec, registry.named(found.spec.type)
    said = who_says(found.layer)
    values = tuple(
        _value(field, value, _nearest(said, field), task_type)
        for field, value in flattened(spec.document()).items()
    )
    fires = coming_fires([spec], now, None, FIRES).fires
    return Explained(
        spec,
        values,
        schedule_words(spec.schedule, spec.timezone),
        clock_words(spec.schedule, spec.timezone),
        tuple(change_days(spec.schedule, spec.timezone, now, now + CLOCK_CHANGES_WITHIN)),
        policy_words(spec.policy),
        fires,
        tuple(errors),
    )


def _loaded(settings: Settings, registry: Registry, name: str, files: Sequence[Path]) -> Loaded:
    tasks, environments = settings.tasks_dir, Environments.of(settings)
    if not files:
        root = settings.project_root
        return load_folder(tasks, registry, root=root, environments=environments, traced=name)
    return load_files(
        files, registry, root=Path.cwd(), tasks_dir=tasks, environments=environments, traced=name
    )


def _change_document(day: ChangeDay) -> dict[str, Any]:
    change = day.change
    before, after = (change.at.astimezone(timezone(offset)) for offset in (change.before, change.after))
    return {
        "timezone": change.zone.key,
        "at": rfc3339(change.at),
        "from": before.isoformat(),
        "to": after.isoformat(),
        "shift": seconds(change.shift),
        "words": day.heading,
        "effects": [_effect_document(effect) for effect in day.effects],
    }


def _effect_document(effect: Effect) -> dict[str, Any]:
    return {
        "schedule": effect.schedule,
        "times": effect.times,
        "fires": effect.fires,
        "words": effect.words,
    }


def _nearest(said: Mapping[str, Said], field: str) -> Said | None:
    """Return who says *field*, or the mapping it is in: an empty `retry` says all its fields."""
    path = field
    while path not in said and "." in path:
        path = path.rpartition(".")[0]
    return said.get(path)


def _value(field: str, value: Any, said: Said | None, task_type: TaskType) -> Value:
    if said is not None:
        return Value(field, value, said.origin, said)
    own = {"queue": task_type.queue, "priority": task_type.priority, **task_type.policy.document()}
    usual = flattened(TaskSpec("", "").document())
    by_type = flattened(own).get(field, usual.get(field)) != usual.get(field)
    return Value(field, value, Origin.TYPE if by_type or field.startswith("params") else Origin.TASKCFG, None)
