"""What somebody changed in the database by hand, in a plan that would undo it. Pure."""

from __future__ import annotations

from dataclasses import replace

from taskcfg.reconcile.plan import Plan, Update


def healed(plan: Plan) -> list[Update]:
    """Return the changes of *plan* that there are only because somebody changed a row by hand, by name."""
    found = [change for change in plan.changes if isinstance(change, Update) and _is_drift(change)]
    return sorted(found, key=lambda change: change.name)


def leaving_drift(plan: Plan) -> Plan:
    """Return *plan* without what only a change by hand makes differ: those rows stay as they are.

    A task whose file changed too is applied whole, as the file says.
    """
    left = {change.name for change in healed(plan)}
    return replace(plan, changes=tuple(change for change in plan.changes if change.name not in left))


def _is_drift(change: Update) -> bool:
    live = change.live
    return live.changed_by_hand and live.source is None and change.spec.digest == live.applied_digest
