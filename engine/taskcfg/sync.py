"""Load, plan, guard, apply: what the files say becomes what the database says."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from taskcfg.errors import InvalidTaskFiles, StalePlan
from taskcfg.problems import Problem
from taskcfg.reconcile.guard import Limits, check_owners, check_safe
from taskcfg.reconcile.plan import Create, Delete, Plan, Update, build_plan, differing, names_not_live
from taskcfg.reconcile.state import LiveTask
from taskcfg.settings import Settings
from taskcfg.source.checkout import Checkout, read_checkout
from taskcfg.source.loader import Loaded, load_files, load_folder
from taskcfg.spec.fire_time import same_times
from taskcfg.spec.pause import Pause
from taskcfg.spec.task import TaskSpec
from taskcfg.store import calendars, hints, pauses, revisions, task_configs
from taskcfg.store.database import Connection, Engine, applying, reading
from taskcfg.store.firing import materialise_due, materialise_to_edit
from taskcfg.types.registry import Registry


@dataclass(frozen=True, slots=True)
class Desired:
    """What the files declare: valid as a whole. A `subset` speaks only of the tasks it names."""

    specs: Mapping[str, TaskSpec]
    files: int
    files_digest: str
    folder: str
    warnings: tuple[Problem, ...] = ()
    checkout: Checkout | None = None
    subset: bool = False


@dataclass(frozen=True, slots=True)
class Planned:
    """A plan, and the revision of the source that it was made from (None: nothing applied yet)."""

    plan: Plan
    base_revision: int | None


@dataclass(frozen=True, slots=True)
class Applied:
    """What was carried out, on top of `base_revision`; `revision` is None when nothing changed."""

    plan: Plan
    revision: int | None
    base_revision: int | None = None


@dataclass(frozen=True, slots=True)
class Approval:
    """Who applies, and what they said yes to. `expected` is the plan they saw, if they saw one."""

    actor: str
    limits: Limits = field(default_factory=Limits)
    lock_timeout: float = 30.0
    expected: Plan | None = None


def load_desired(settings: Settings, registry: Registry, files: Sequence[Path] | None = None) -> Desired:
    """Read the tasks folder, or only *files*. Raises InvalidTaskFiles with every problem there is,
    and UnreadableSource when the folder cannot be read."""
    loaded = read_source(settings, registry, files)
    if not loaded.valid:
        raise InvalidTaskFiles(loaded.errors, files=loaded.files)
    return Desired(
        specs={spec.name: spec for spec in loaded.specs},
        files=loaded.files,
        files_digest=loaded.digest,
        folder=str(settings.tasks_dir),
        warnings=tuple(loaded.problems),
        checkout=read_checkout(settings.tasks_dir if settings.tasks_dir.is_dir() else settings.project_root),
        subset=files is not None,
    )


def read_source(settings: Settings, registry: Registry, files: Sequence[Path] | None = None) -> Loaded:
    """Read the tasks folder, or only *files*, problems and all. Raises UnreadableSource."""
    if files is not None:
        return load_files(files, registry, root=settings.project_root, tasks_dir=settings.tasks_dir)
    return load_folder(settings.tasks_dir, registry, root=settings.project_root)


def make_plan(database: Engine, desired: Desired, source: str) -> Planned:
    """Compare *desired* with what *source* has in the database; write nothing. Raises NameTaken."""
    with reading(database) as connection:
        return Planned(_plan(connection, desired, source), revisions.current_revision(connection, source))


def apply_desired(database: Engine, desired: Desired, source: str, approval: Approval) -> Applied:
    """Make the database say what *desired* says: all of it, or none of it.

    Takes the apply lock, plans under it, and carries that plan out. What is due under an old
    schedule is recorded before the schedule changes, so no fire is lost or doubled by an edit.
    Having written nothing, raises LockTimeout, UnsafePlan or NameTaken, and StalePlan when the
    plan is not the one that was expected.
    """
    came_from = _provenance(desired, source, approval.actor)
    with applying(database, approval.lock_timeout) as connection:
        plan = _plan(connection, desired, source)
        if approval.expected is not None and plan.fingerprint != approval.expected.fingerprint:
            raise StalePlan(changed=_moved(approval.expected, plan))
        check_safe(plan, approval.limits)
        base_revision = revisions.current_revision(connection, source)
        _carry_out(connection, plan, desired, source)
        revision = None
        if plan.has_changes:
            revision = revisions.record_revision(connection, came_from, asdict(plan.summary), _recorded(plan))
        revisions.record_source(connection, came_from, revision)
        if plan.has_changes:
            hints.notify(connection)
    return Applied(plan, revision, base_revision)


def _plan(connection: Connection, desired: Desired, source: str) -> Plan:
    live = task_configs.live_tasks(connection, source)
    if desired.subset:
        live = {name: row for name, row in live.items() if name in desired.specs}
    specs = task_configs.specs_of(connection, differing(desired.specs, live))
    live = {name: replace(row, spec=specs[row.id]) if row.id in specs else row for name, row in live.items()}
    new = names_not_live(desired.specs, live)
    check_owners(task_configs.owners(connection, new), source)
    plan = build_plan(source, desired.specs, live, task_configs.retired(connection, source, new))
    return replace(plan, paused=_paused(plan, live, pauses.pauses_of_source(connection, source)))


def _paused(plan: Plan, live: Mapping[str, LiveTask], by_id: Mapping[int, Pause]) -> dict[str, Pause]:
    """Return the pauses over the tasks that are live, or that the plan restores, by name."""
    ids = {name: row.id for name, row in live.items()}
    ids |= {c.name: c.restores for c in plan.changes if isinstance(c, Create) and c.restores is not None}
    return {name: by_id[id_] for name, id_ in sorted(ids.items()) if id_ in by_id}


def _carry_out(connection: Connection, plan: Plan, desired: Desired, source: str) -> None:
    commit = desired.checkout.commit if desired.checkout else None
    calendars.save_calendars(connection, desired.specs.values())
    deletes = [change for change in plan.changes if isinstance(change, Delete)]
    updates = [change for change in plan.changes if isinstance(change, Update)]
    creates = [change for change in plan.changes if isinstance(change, Create)]
    touched = [change.live.id for change in deletes] + [change.live.id for change in updates]
    staying = [change.live.id for change in updates if _stays(change)]
    materialise_due(connection, staying)
    materialise_to_edit(connection, {*touched}.difference(staying))
    changed = {change.live.id: change.spec for change in updates}
    kept = pauses.settle_before_change(connection, {**dict.fromkeys(touched), **changed})
    task_configs.retire_tasks(connection, [change.live.id for change in deletes])
    task_configs.update_tasks(connection, changed, commit)
    pauses.keep_missed(connection, kept)
    restored = {change.restores: change.spec for change in creates if change.restores is not None}
    task_configs.revive_tasks(connection, restored, commit)
    fresh = [change.spec for change in creates if change.restores is None]
    task_configs.insert_tasks(connection, fresh, source, commit)
    unchanged = [desired.specs[name] for name in plan.unchanged]
    task_configs.refresh_places(connection, source, unchanged, commit)


def _stays(change: Update) -> bool:
    """Say whether *change* is known to leave the task its fire times."""
    before = change.live.spec
    return before is not None and same_times(before, change.spec)


def _provenance(desired: Desired, source: str, actor: str) -> revisions.Provenance:
    known = revisions.Provenance(source, actor, desired.folder, desired.files_digest)
    checkout = desired.checkout
    return replace(known, **asdict(checkout)) if checkout else known


def _recorded(plan: Plan) -> list[dict[str, Any]]:
    """Return the changes as a revision keeps them: the whole spec before and after, by name."""
    return [
        {
            "action": type(change).__name__.lower(),
            "name": change.name,
            "before": _document(None if isinstance(change, Create) else change.live.spec),
            "after": _document(None if isinstance(change, Delete) else change.spec),
        }
        for change in plan.changes
    ]


def _document(spec: TaskSpec | None) -> dict[str, Any] | None:
    return None if spec is None else spec.document()


def _moved(expected: Plan, found: Plan) -> list[str]:
    """Return the names of the tasks in which the two plans differ, or all if only the order does."""
    before, after = set(expected.fingerprint), set(found.fingerprint)
    names = {str(change[1]) for change in before ^ after}
    return sorted(names) or [change.name for change in found.changes]
