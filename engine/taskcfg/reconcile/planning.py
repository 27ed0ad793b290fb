"""What is wanted, and what the database says of it, to a plan. Asks the live state no more than it must."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace

from taskcfg.reconcile.guard import check_owners
from taskcfg.reconcile.plan import Create, Plan, Rename, bearers, build_plan, differing, names_not_live
from taskcfg.reconcile.state import Bearer, LiveState, LiveTask, Owner, Place, is_elsewhere
from taskcfg.spec.pause import Pause
from taskcfg.spec.task import TaskSpec


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the files at `place` declare. A `subset` speaks of these tasks alone: it deletes nothing.

    Of a state of the past, `bearers` are the rows of the tasks that bore these names then, as far as they are
    still there.
    """

    specs: Mapping[str, TaskSpec]
    place: Place
    subset: bool = False
    bearers: Mapping[str, Bearer] = field(default_factory=dict)


def plan_for(state: LiveState, wanted: Wanted, source: str, adopt: Collection[str]) -> Plan:
    """Return what turns *state*, that of *source*, into what is *wanted*.

    *adopt* are names that are taken over from other sources. Raises NameTaken for any other name that is
    another source's.
    """
    live = state.live_tasks()
    if wanted.subset:
        named = wanted.specs.keys() | {spec.renamed_from for spec in wanted.specs.values()}
        live = {name: row for name, row in live.items() if name in named}
    owners = _owners(state, wanted, live, source)
    check_owners({n: owner for n, owner in owners.items() if n not in adopt}, source, wanted.specs)
    adopted = state.adopted_tasks(owners)
    live |= adopted
    again = _borne_again(wanted, live) if wanted.bearers else None
    borne = bearers(wanted.specs, live) if again is None else again
    specs = state.specs_of(differing(wanted.specs, live, borne))
    live = {name: replace(row, spec=specs[row.id]) if row.id in specs else row for name, row in live.items()}
    revived = {name: row.id for name, row in wanted.bearers.items() if row.retired}
    retired = state.retired(names_not_live(wanted.specs, borne)) | revived
    plan = build_plan(source, wanted.specs, live, retired, again)
    return replace(
        plan,
        paused=_paused(plan, live, state.pauses([row.id for row in adopted.values()])),
        moved=_moved_place(state.place(), wanted.place),
    )


def _owners(state: LiveState, wanted: Wanted, live: Mapping[str, LiveTask], source: str) -> dict[str, Owner]:
    """Return the names of other sources' tasks that are wanted, or that tasks of the past have there now."""
    elsewhere = {row.name for row in wanted.bearers.values() if row.source != source and not row.retired}
    return state.owners({*names_not_live(wanted.specs, live), *elsewhere})


def _borne_again(wanted: Wanted, live: Mapping[str, LiveTask]) -> dict[str, str]:
    """Return which live task bears each name again: the one that did, whatever its name is now.

    Where its row is gone, another that bears the name stays; one that was taken over for it does, too.
    """
    claimed = {row.id for row in wanted.bearers.values()}
    found = {}
    for name in wanted.specs:
        now, then = live.get(name), wanted.bearers.get(name)
        free = now is not None and now.id not in claimed
        if now is not None and free and (then is None or now.source is not None):
            found[name] = name
        elif then is not None and then.name in live and live[then.name].id == then.id:
            found[name] = then.name
    return found


def _moved_place(before: Place | None, now: Place) -> tuple[Place, Place] | None:
    """Return where the source's files were and where they are, if those are different places."""
    return (before, now) if before is not None and is_elsewhere(before, now) else None


def _paused(plan: Plan, live: Mapping[str, LiveTask], by_id: Mapping[int, Pause]) -> dict[str, Pause]:
    """Return the pauses over the tasks that are live, or that the plan restores, by name."""
    renamed = {c.previous: c.name for c in plan.changes if isinstance(c, Rename)}
    ids = {name: row.id for name, row in live.items() if name not in renamed}
    ids |= {new: live[old].id for old, new in renamed.items()}
    ids |= {c.name: c.restores for c in plan.changes if isinstance(c, Create) and c.restores is not None}
    return {name: by_id[id_] for name, id_ in sorted(ids.items()) if id_ in by_id}
