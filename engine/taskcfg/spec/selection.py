"""Which tasks are meant: by name or glob, by label, by type, by state."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import translate
from functools import cached_property
from typing import Self
from unicodedata import normalize

from taskcfg.spec.labels import LabelRequirement, parse_labels
from taskcfg.spec.task import TaskState

ALL = "all"
STATES = (*(state.value for state in TaskState), ALL)
LIVE_TASK_STATES = tuple(state for state in TaskState if state is not TaskState.RETIRED)
_WILD = frozenset("*?[")


def is_glob(name: str) -> bool:
    """Say whether *name* is a pattern: no task's name holds `*`, `?` or `[`."""
    return not _WILD.isdisjoint(name)


@dataclass(frozen=True)
class Selection:
    """A choice of tasks; each part that is given must hold, and within a part one is enough.

    `names` are exact names and globs (`*`, `?`, `[ab]`), in NFC. `states` are words of `STATES`;
    without any, all live tasks are meant, and retired ones only by `retired` or `all`.
    """

    names: tuple[str, ...] = ()
    labels: tuple[LabelRequirement, ...] = ()
    types: tuple[str, ...] = ()
    states: tuple[str, ...] = ()

    @classmethod
    def of(
        cls,
        names: Iterable[str] = (),
        *,
        labels: Iterable[str] = (),
        types: Iterable[str] = (),
        states: Iterable[str] = (),
    ) -> Self:
        """Return the selection that people write so. Raises ValueError for what is no label selector."""
        requirements = tuple(each for text in labels for each in parse_labels(text))
        # Each once, in the order given.
        return cls(
            tuple(dict.fromkeys(normalize("NFC", name) for name in names)),
            requirements,
            tuple(types),
            tuple(states),
        )

    @property
    def is_empty(self) -> bool:
        """Nothing was asked for: all live tasks are meant."""
        return not (self.names or self.labels or self.types or self.states)

    @property
    def narrows(self) -> bool:
        """Names, labels or types are asked for, so that some tasks of a state may be left out."""
        return bool(self.names or self.labels or self.types)

    @property
    def exact_names(self) -> tuple[str, ...]:
        return tuple(name for name in self.names if not is_glob(name))

    @property
    def globs(self) -> tuple[str, ...]:
        return tuple(name for name in self.names if is_glob(name))

    @property
    def wanted_states(self) -> tuple[TaskState, ...]:
        if not self.states:
            return LIVE_TASK_STATES
        return tuple(TaskState) if ALL in self.states else tuple(TaskState(state) for state in self.states)

    def matches(self, name: str, type_: str, labels: Mapping[str, str]) -> bool:
        """Say whether a task is meant, as far as its name, type and labels tell."""
        return (
            (not self.names or self._names.fullmatch(name) is not None)
            and (not self.types or type_ in self.types)
            and all(requirement.matches(labels) for requirement in self.labels)
        )

    def __str__(self) -> str:
        """Return it in words, for messages: `name billing.*, type http`."""
        parts: list[tuple[str, Sequence[str]]] = [("name", self.names), ("type", self.types)]
        words = [f"{word} `{'`, `'.join(values)}`" for word, values in parts if values]
        words += ["the labels asked for"] if self.labels else []
        words += [f"state {' or '.join(self.states)}"] if self.states else []
        return " and ".join(words)

    @cached_property
    def _names(self) -> re.Pattern[str]:
        return re.compile("|".join(_pattern(name) for name in self.names))


def matching(pattern: str, names: Iterable[str]) -> bool:
    """Say whether the name or glob *pattern* matches any of *names*."""
    compiled = re.compile(_pattern(pattern))
    return any(compiled.fullmatch(name) for name in names)


def _pattern(name: str) -> str:
    return translate(name) if is_glob(name) else re.escape(name)
