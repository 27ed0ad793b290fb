"""What makes a problem the same problem tomorrow, when lines above it have come and gone."""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Iterable, Iterator

from taskcfg.problems import Problem
from taskcfg.spec.task import TaskSpec

FIELDS = frozenset(TaskSpec("", "").document()) | {"defaults", "tasks"}


def rule_of(problem: Problem) -> str:
    """Return what the problem is about: a field of a task, as `schedule`; else `task` or `file`."""
    field = re.split(r"[.\[]", problem.field or "", maxsplit=1)[0]
    if field in FIELDS:
        return field
    return "task" if problem.task or problem.field else "file"


def fingerprinted(problems: Iterable[Problem]) -> Iterator[tuple[Problem, str]]:
    """Yield each problem with its fingerprint, which no two of them share and no line is part of."""
    seen: Counter[tuple[str, ...]] = Counter()
    for problem in problems:
        what = (problem.position.file, problem.task or "", problem.field or "", problem.message)
        seen[what] += 1
        text = "\0".join((*what, str(seen[what])))
        yield problem, hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
