"""A plan or an apply as it is shown: the changes with what is known of the files and the database."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from taskcfg.problems import Problem
from taskcfg.reconcile.describe import applied_total, plan_document, plan_lines, plan_total
from taskcfg.reconcile.plan import Plan
from taskcfg.sync import Desired


@dataclass(frozen=True, slots=True)
class PlanReport:
    """What apply would change. `base_revision` is the source's last applied one, None if there is none."""

    plan: Plan
    desired: Desired
    base_revision: int | None
    made_at: datetime

    @property
    def warnings(self) -> tuple[Problem, ...]:
        return self.desired.warnings

    def lines(self) -> list[str]:
        """Return the plan as lines of text; the last one sums it up."""
        return [*plan_lines(self.plan, self.made_at), plan_total(self.plan)]

    def document(self) -> dict[str, Any]:
        """Return the plan in the JSON shape of `taskcfg plan`."""
        checkout = self.desired.checkout
        return plan_document(
            self.plan,
            self.desired.specs,
            timestamp=self.made_at,
            base_revision=self.base_revision,
            repo=checkout.repo if checkout else None,
            commit=checkout.commit if checkout else None,
            dirty=checkout.dirty if checkout else None,
        )


@dataclass(frozen=True, slots=True)
class ApplyReport:
    """What apply did: carried out the plan in `report`, as `revision` (None: nothing to change)."""

    report: PlanReport
    revision: int | None

    def lines(self) -> list[str]:
        """Return what was done as lines of text; the last one sums it up."""
        plan = self.report.plan
        return [
            *plan_lines(plan, self.report.made_at),
            applied_total(plan) if plan.has_changes else plan_total(plan),
        ]

    def document(self) -> dict[str, Any]:
        """Return it in the JSON shape of `taskcfg apply`."""
        return {**self.report.document(), "applied": True, "revision": self.revision}
