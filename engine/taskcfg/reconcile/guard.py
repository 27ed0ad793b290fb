"""Plans that are refused unless somebody says, by a flag, that they are meant."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from taskcfg.errors import NameTaken, UnsafePlan, count
from taskcfg.reconcile.plan import Delete, Plan

FEWEST_DELETES = 3
DELETE_SHARE = 0.2


@dataclass(frozen=True, slots=True)
class Limits:
    """What is said yes to. `max_delete` None is the default: the larger of 3 and 20 % of the tasks."""

    max_delete: int | None = None
    allow_empty: bool = False

    def deletes_of(self, live: int) -> int:
        if self.max_delete is not None:
            return self.max_delete
        return max(FEWEST_DELETES, int(live * DELETE_SHARE))


def check_safe(plan: Plan, limits: Limits) -> None:
    """Refuse a plan that deletes more tasks than allowed.

    An empty tasks.d looks exactly like "delete everything": a wrong path or a failed
    checkout must not be able to stop every schedule in the company. Raises UnsafePlan.
    """
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


def check_owners(owners: Mapping[str, str], source: str) -> None:
    """Refuse to take a name that a live task of another source bears. Raises NameTaken."""
    for name, owner in sorted(owners.items()):
        if owner != source:
            raise NameTaken(name, owner=owner, source=source)
