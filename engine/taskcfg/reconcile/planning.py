"""What is wanted, and what the database says of it, to a plan. Asks the live state no more than it must."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace

from taskcfg.reconcile.guard import check_owners
from taskcfg.reconcile.plan import Create, Plan, Rename, build_plan, differing, names_not_live
from taskcfg.reconcile.state import LiveState, LiveTask, Place, is_elsewhere
from taskcfg.spec.pause import Pause
from taskcfg.spec.task import TaskSpec


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the files at `place` declare. A `subset` speaks of these tasks alone: it deletes nothing."""

    specs: Mapping[str, TaskSpec]
    place: Place
    subset: bool = False


def plan_for(state: LiveState, wanted: Wanted, source: str, adopt: Collection[str]) -> Plan:
    """Return what turns *state*, that of *source*, into what is *wanted*.

    *adopt* are names that are taken over from other sources. Raises NameTaken for any other name that is
    another source's.
    """
    live = state.live_tasks()
    if wanted.subset:
        named = wanted.specs.keys() | {spec.renamed_from for spec in wanted.specs.values()}
        live = {name: row for name, row in live.items() if name in named}
    owners = state.owners(names_not_live(wanted.specs, live))
    check_owners({n: owner for n, owner in owners.items() if n not in adopt}, source, wanted.specs)
    adopted = state.adopted_tasks(owners)
    live |= adopted
    specs = state.specs_of(differing(wanted.specs, live))
    live = {name: replace(row, spec=specs[row.id]) if row.id in specs else row for name, row in live.items()}
    new = names_not_live(wanted.specs, live)
    plan = build_plan(source, wanted.specs, live, state.retired(new))
    return replace(
        plan,
        paused=_paused(plan, live, state.pauses([row.id for row in adopted.values()])),
        moved=_moved_place(state.place(), wanted.place),
    )


def _moved_place(before: Place | None, now: Place) -> tuple[Place, Place] | None:
    """Return where the source's files were and where they are, if those are different places."""
    return (before, now) if before is not None and is_elsewhere(before, now) else None


def _paused(plan: Plan, live: Mapping[str, LiveTask], by_id: Mapping[int, Pause]) -> dict[str, Pause]:
    """Return the pauses over the tasks that are live, or that the plan restores, by name."""
    renamed = {c.previous: c.name for c in plan.changes if isinstance(c, Rename)}
    ids = {renamed.get(name, name): row.id for name, row in live.items()}
    ids |= {c.name: c.restores for c in plan.changes if isinstance(c, Create) and c.restores is not None}
    return {name: by_id[id_] for name, id_ in sorted(ids.items()) if id_ in by_id}
