"""A plan or an apply as it is shown: the changes with what is known of the files and the database."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property
from typing import Any

from taskcfg.problems import Problem
from taskcfg.reconcile.describe import applied_total, plan_lines, plan_total
from taskcfg.reconcile.outlook import HORIZON, FiresChange, outlooks
from taskcfg.reconcile.plan import ChangeKey, Plan
from taskcfg.reconcile.plan_document import plan_document
from taskcfg.reconcile.plan_markdown import plan_markdown
from taskcfg.reconcile.saved_plan import saved_document
from taskcfg.sync import Desired


@dataclass(frozen=True)
class PlanReport:
    """What apply would change. `base_revision` is the source's last applied one, None if there is none.

    `horizon` is how far ahead fires are looked at; `database` the identity of the database, and
    `as_of` when the snapshot was taken that stood for it, if one did.
    """

    plan: Plan
    desired: Desired
    base_revision: int | None
    made_at: datetime
    database: str
    horizon: timedelta = HORIZON
    as_of: datetime | None = None

    @cached_property
    def fires(self) -> dict[ChangeKey, FiresChange]:
        """What the plan does to each changed task's fires, within the horizon, by name."""
        return outlooks(self.plan, self.made_at, self.horizon)

    @property
    def warnings(self) -> tuple[Problem, ...]:
        return self.desired.warnings

    def lines(self) -> list[str]:
        """Return the plan as lines of text; the last one sums it up."""
        return [*plan_lines(self.plan, self.made_at, self.fires), self.total()]

    def total(self) -> str:
        """Return the last line of the plan."""
        return plan_total(self.plan)

    def markdown(self, refusal: str | None = None, *, applied: str | None = None) -> str:
        """Return the plan as a comment on a pull request.

        *refusal* is what a guard will say to it; *applied* the last line of the apply that carried it out.
        """
        return plan_markdown(
            self.plan,
            self.made_at,
            self.fires,
            environment=self.desired.environment,
            commit=self.desired.checkout.commit if self.desired.checkout else None,
            warnings=self.warnings,
            refusal=refusal,
            applied=applied,
            as_of=self.as_of,
        )

    def saved(self) -> dict[str, Any]:
        """Return the plan's document with what must not move until it is applied."""
        return saved_document(
            self.document(), self.plan, self.database, self.desired.digests, self.desired.only
        )

    def document(self) -> dict[str, Any]:
        """Return the plan in the JSON shape of `taskcfg plan`."""
        checkout = self.desired.checkout
        return plan_document(
            self.plan,
            self.desired.specs,
            timestamp=self.made_at,
            base_revision=self.base_revision,
            environment=self.desired.environment,
            repo=checkout.repo if checkout else None,
            commit=checkout.commit if checkout else None,
            dirty=checkout.dirty if checkout else None,
            fires=self.fires,
        )


@dataclass(frozen=True, slots=True)
class ApplyReport:
    """What apply did: carried out the plan in `report`, as `revision` (None: nothing to change)."""

    report: PlanReport
    revision: int | None

    def lines(self) -> list[str]:
        """Return what was done as lines of text; the last one sums it up."""
        return [*plan_lines(self.plan, self.report.made_at, self.report.fires), self.total()]

    @property
    def plan(self) -> Plan:
        return self.report.plan

    def total(self) -> str:
        """Return the last line of the apply."""
        return applied_total(self.plan) if self.plan.has_changes else plan_total(self.plan)

    def markdown(self, refusal: str | None = None) -> str:
        """Return what was done as Markdown."""
        return self.report.markdown(refusal, applied=self.total())

    def document(self) -> dict[str, Any]:
        """Return it in the JSON shape of `taskcfg apply`."""
        return {**self.report.document(), "applied": True, "revision": self.revision}
