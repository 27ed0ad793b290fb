"""Plans that are refused unless somebody says, by a flag, that they are meant."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from taskcfg.errors import NameTaken, UnsafePlan, count
from taskcfg.reconcile.plan import Delete, Plan
from taskcfg.reconcile.state import Owner
from taskcfg.spec.task import TaskSpec

FEWEST_DELETES = 3
DELETE_SHARE = 0.2


@dataclass(frozen=True, slots=True)
class Limits:
    """What is said yes to. `max_delete` None is the default: the larger of 3 and 20 % of the tasks.

    `ignore_protect` are protected tasks that may be deleted, `adopt` names that may be taken over from
    another source, `adopt_source` that the files may come from another place than before.
    """

    max_delete: int | None = None
    allow_empty: bool = False
    ignore_protect: frozenset[str] = frozenset()
    adopt: frozenset[str] = frozenset()
    adopt_source: bool = False

    def deletes_of(self, live: int) -> int:
        if self.max_delete is not None:
            return self.max_delete
        return max(FEWEST_DELETES, int(live * DELETE_SHARE))


def check_safe(plan: Plan, limits: Limits) -> None:
    """Refuse a plan that nobody may have meant. Raises UnsafePlan.

    An empty tasks.d looks exactly like "delete everything": a wrong path or a failed
    checkout must not be able to stop every schedule in the company.
    """
    if not plan.has_changes:
        return
    _check_place(plan, limits)
    _check_protected(plan, limits)
    if plan.declared == 0 and plan.live:
        if limits.allow_empty:
            return
        raise UnsafePlan(
            f"the files declare no task, but source `{plan.source}` has {plan.live}: all would be deleted",
            flag="--allow-empty",
        )
    deletes = sum(isinstance(change, Delete) for change in plan.changes)
    allowed = limits.deletes_of(plan.live)
    if deletes > allowed:
        raise UnsafePlan(
            f"{count(deletes, 'task')} of {plan.live} would be deleted; at most {allowed} may be",
            flag=f"--max-delete {deletes}",
        )


def is_from_elsewhere(plan: Plan, limits: Limits) -> bool:
    """Say whether the files come from another place than the source's, and nobody said that they may."""
    return plan.moved is not None and not limits.adopt_source


def _check_place(plan: Plan, limits: Limits) -> None:
    """Two projects that share a source's name by accident would delete each other's tasks, in turn."""
    if plan.moved is not None and is_from_elsewhere(plan, limits):
        before, now = plan.moved
        raise UnsafePlan(
            f"source `{plan.source}` was applied from {before} before, and this is {now}",
            flag="--adopt-source",
        )


def _check_protected(plan: Plan, limits: Limits) -> None:
    deleted = [change.live for change in plan.changes if isinstance(change, Delete)]
    kept = sorted(live.name for live in deleted if live.protect and live.name not in limits.ignore_protect)
    if kept:
        named = ", ".join(f"`{name}`" for name in kept)
        verb = "is" if len(kept) == 1 else "are"
        raise UnsafePlan(
            f"{named} {verb} protected, and would be deleted",
            flag=" ".join(f"--ignore-protect {name}" for name in kept),
        )


def check_owners(owners: Mapping[str, Owner], source: str, desired: Mapping[str, TaskSpec]) -> None:
    """Refuse to take names that live tasks of another source bear. Raises NameTaken."""
    if owners:
        places = {name: _places(desired.get(name), owner) for name, owner in owners.items()}
        raise NameTaken({name: owner.source for name, owner in owners.items()}, source=source, places=places)


def _places(spec: TaskSpec | None, owner: Owner) -> str:
    ours = f"{spec.position.file}:{spec.position.line}" if spec and spec.position else None
    theirs = f"{owner.file}:{owner.line}" if owner.file else None
    said = [f"declared at {ours}" if ours else None, f"there at {theirs}" if theirs else None]
    found = ", ".join(part for part in said if part)
    return f" ({found})" if found else ""
