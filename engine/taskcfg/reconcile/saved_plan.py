"""A plan that was saved, and is to be carried out later just as it was, or not at all. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from taskcfg.errors import InvalidPlanFile
from taskcfg.reconcile.plan import Create, Plan, Update, by_name
from taskcfg.reconcile.plan_document import FORMAT_VERSION
from taskcfg.reconcile.state import LiveTask
from taskcfg.spec.task import digest_of

APPROVED = "approved"
"""The key under which a saved plan holds what must not have moved."""
DIGEST = "digest"
"""The key under which it holds the digest of all the rest."""


@dataclass(frozen=True, slots=True)
class SavedPlan:
    """What was approved: the files, by name with the digest of each, and the steps to carry out.

    `database` is the identity of the one it was made from; `only` are the files that were asked for, None
    for all; `adopt` the tasks it takes over from other sources; `rows` the versions of the rows that the
    steps touch, by task.
    """

    source: str
    environment: str | None
    database: str
    base_revision: int | None
    files: Mapping[str, str]
    only: tuple[str, ...] | None
    adopt: frozenset[str]
    rows: Mapping[str, int]
    steps: tuple[tuple[Any, ...], ...]

    @property
    def tasks(self) -> frozenset[str]:
        """The names of the tasks that the steps touch."""
        return frozenset(str(step[1]) for step in self.steps)

    def of(self, plan: Plan) -> Plan:
        """Return *plan* without what was not approved."""
        return replace(plan, changes=tuple(change for change in plan.changes if change.name in self.tasks))

    def moved_files(self, files: Mapping[str, str]) -> list[str]:
        """Return the names of the files that are others than *files* says, by name."""
        names = self.files.keys() | files.keys()
        return sorted(name for name in names if self.files.get(name) != files.get(name))

    def moved_tasks(self, plan: Plan) -> list[str]:
        """Return the tasks that *plan* would do something else to than was approved, by name."""
        touched = [change for change in plan.changes if change.name in self.tasks]
        now = {change.name: step for change, step in zip(touched, self.of(plan).fingerprint, strict=True)}
        stale = {c.name for c in touched if not isinstance(c, Create) and self._is_other(c.live)}
        approved = {str(step[1]): step for step in self.steps}
        return sorted(name for name in approved if now.get(name) != approved[name] or name in stale)

    def _is_other(self, live: LiveTask) -> bool:
        return self.rows.get(live.name) != live.version


def saved_document(
    shown: Mapping[str, Any], plan: Plan, database: str, files: Mapping[str, str], only: Sequence[str] | None
) -> dict[str, Any]:
    """Return what a saved plan holds: the document of *plan* as it is *shown*, what must not move, and the
    digest of both, so that what somebody reads in it is what is approved."""
    approved = {
        "database": database,
        "files": dict(sorted(files.items())),
        "only": None if only is None else list(only),
        "adopt": [c.name for c in by_name(plan) if isinstance(c, Update) and c.live.source is not None],
        "steps": [list(step) for step in plan.fingerprint],
    }
    document = {**shown, APPROVED: approved}
    return {**document, DIGEST: digest_of(document)}


def check_source(saved: SavedPlan, source: str, environment: str | None) -> None:
    """Raise InvalidPlanFile unless *saved* is a plan of *source*, for *environment*."""
    if saved.source != source:
        raise InvalidPlanFile("the plan", f"it is one of source `{saved.source}`, and this is `{source}`")
    if saved.environment != environment:
        made, here = (f"`{name}`" if name else "none" for name in (saved.environment, environment))
        raise InvalidPlanFile("the plan", f"it was made for environment {made}, and this is {here}")


def read_saved_plan(text: str, place: str) -> SavedPlan:
    """Return the plan that *text*, which stands at *place*, holds. Raises InvalidPlanFile."""
    try:
        document = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InvalidPlanFile(place, f"it is no JSON: {error}") from error
    if not isinstance(document, dict) or APPROVED not in document:
        raise InvalidPlanFile(place, "it is no saved plan")
    if document.get("format_version") != FORMAT_VERSION:
        raise InvalidPlanFile(
            place, f"its format is {document.get('format_version')!r}, not {FORMAT_VERSION}"
        )
    digest = document.pop(DIGEST, None)
    try:
        if digest != digest_of(document):
            raise InvalidPlanFile(place, "it is damaged, or was changed after it was written")
        approved, base = document[APPROVED], document["base"]
        only = approved["only"]
        return SavedPlan(
            source=str(document["source"]["name"]),
            environment=document["environment"],
            database=str(approved["database"]),
            base_revision=base["revision"],
            files={str(name): str(digest) for name, digest in approved["files"].items()},
            only=None if only is None else tuple(map(str, only)),
            adopt=frozenset(map(str, approved["adopt"])),
            rows={str(name): int(version) for name, version in base["rows"].items()},
            steps=tuple((str(step[0]), str(step[1]), *step[2:]) for step in approved["steps"]),
        )
    except (KeyError, TypeError, ValueError, IndexError, AttributeError, RecursionError) as error:
        raise InvalidPlanFile(place, f"it is damaged ({type(error).__name__}: {error})") from error
