"""Load, plan, guard, apply: what the files say becomes what the database says."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from taskcfg.errors import InvalidPlanFile, InvalidTaskFiles, Overtaken, StalePlan
from taskcfg.failpoints import failpoint
from taskcfg.problems import Problem
from taskcfg.reconcile.by_hand import leaving_drift
from taskcfg.reconcile.guard import Limits, check_safe, is_from_elsewhere
from taskcfg.reconcile.plan import (
    Change,
    Create,
    Delete,
    Plan,
    Rename,
    Update,
)
from taskcfg.reconcile.planning import Wanted, plan_for
from taskcfg.reconcile.saved_plan import SavedPlan
from taskcfg.reconcile.snapshot import Snapshot
from taskcfg.reconcile.state import Place
from taskcfg.settings import Settings
from taskcfg.source.checkout import Checkout, last_author, read_checkout
from taskcfg.source.environments import Environments
from taskcfg.source.loader import Loaded, load_files, load_folder
from taskcfg.source.memory import memory_of
from taskcfg.spec.fire_time import same_times
from taskcfg.spec.task import TaskSpec
from taskcfg.store import calendars, hints, pauses, revisions, task_configs
from taskcfg.store.database import Connection, Engine, applying, reading
from taskcfg.store.firing import materialise_due, materialise_to_edit
from taskcfg.store.live_state import StoredState
from taskcfg.store.settings_table import check_environment, database_uuid, stamp_environment
from taskcfg.types.registry import Registry


@dataclass(frozen=True, slots=True)
class Desired:
    """What the files declare: valid as a whole. `only` are the files that were asked for, None for all.

    `digests` are those of what was read, by file or `$VARIABLE`; `environment` is the one that was merged.
    `past` is the revision whose state it is, where it is no files' at all, and `rows` the ids of the tasks
    that bore these names then, as far as they are known.
    """

    specs: Mapping[str, TaskSpec]
    files: int
    files_digest: str
    folder: str
    digests: Mapping[str, str] = field(default_factory=dict)
    warnings: tuple[Problem, ...] = ()
    checkout: Checkout | None = None
    only: tuple[str, ...] | None = None
    environment: str | None = None
    past: int | None = None
    rows: Mapping[str, int] = field(default_factory=dict)

    @property
    def place(self) -> Place:
        """Where the files are."""
        checkout = self.checkout
        return Place(None, self.folder) if checkout is None else Place(checkout.repo, checkout.folder)

    @property
    def subset(self) -> bool:
        """Whether it speaks of some files alone."""
        return self.only is not None


@dataclass(frozen=True, slots=True)
class Planned:
    """A plan, the revision of the source that it was made from (None: nothing applied yet), and the identity
    of the database. `as_of` is when the snapshot was taken that stood for it, if one did."""

    plan: Plan
    base_revision: int | None
    database: str
    as_of: datetime | None = None


@dataclass(frozen=True, slots=True)
class Applied:
    """What was carried out, on top of `base_revision`; `revision` is None when nothing changed."""

    plan: Plan
    revision: int | None
    database: str
    base_revision: int | None = None


@dataclass(frozen=True, slots=True)
class Approval:
    """Who applies, and what they said yes to. `expected` is the plan they saw, if they saw one; of a saved
    one nothing but its own steps is carried out. `since` is how the source stood before the files were read,
    where that must still be so; `heal` false leaves alone what only a change by hand makes differ."""

    actor: str
    limits: Limits = field(default_factory=Limits)
    lock_timeout: float = 30.0
    expected: Plan | SavedPlan | None = None
    since: revisions.Standing | None = None
    heal: bool = True


def load_desired(settings: Settings, registry: Registry, files: Sequence[Path] | None = None) -> Desired:
    """Read the tasks folder, or only *files*. Raises InvalidTaskFiles with every problem there is,
    UnreadableSource when the folder cannot be read, and UnknownEnvironment."""
    loaded = read_source(settings, registry, files)
    if not loaded.valid:
        raise InvalidTaskFiles(loaded.errors, files=loaded.files)
    return Desired(
        specs={spec.name: spec for spec in loaded.specs},
        files=loaded.files,
        files_digest=loaded.digest,
        folder=str(settings.tasks_dir),
        digests=loaded.digests,
        warnings=tuple(loaded.problems),
        checkout=read_checkout(settings.tasks_dir if settings.tasks_dir.is_dir() else settings.project_root),
        only=None if files is None else tuple(_from_root(file, settings.project_root) for file in files),
        environment=settings.env,
    )


def _from_root(file: Path, root: Path) -> str:
    """Return *file* as it is found from *root*, on whatever machine."""
    return file.relative_to(root).as_posix() if file.is_relative_to(root) else str(file)


def read_source(settings: Settings, registry: Registry, files: Sequence[Path] | None = None) -> Loaded:
    """Read the tasks folder, or only *files*, problems and all, as they are in the environment that is set.

    Raises UnreadableSource, UnknownEnvironment.
    """
    root, environments = settings.project_root, Environments.of(settings)
    if files is not None:
        return load_files(files, registry, root=root, tasks_dir=settings.tasks_dir, environments=environments)
    memory = memory_of(settings, environments)
    return load_folder(settings.tasks_dir, registry, root=root, environments=environments, memory=memory)


def make_plan(
    database: Engine,
    desired: Desired,
    source: str,
    saved: SavedPlan | None = None,
    adopt: Collection[str] = (),
) -> Planned:
    """Compare *desired* with what *source* has in the database; write nothing.

    *adopt* are names that are taken over from other sources. Of a *saved* plan it is what applying that
    would carry out. Raises NameTaken, WrongEnvironment, and what `apply_desired` raises of a saved plan.
    """
    if saved is not None:
        check_files(saved, desired)
    with reading(database) as connection:
        check_environment(connection, desired.environment)
        adopted = adopt if saved is None else saved.adopt
        state = StoredState(connection, source)
        plan = _as_expected(connection, _plan(connection, desired, source, adopted), saved)
        return Planned(plan, state.revision(), state.database())


def plan_against(snapshot: Snapshot, desired: Desired) -> Planned:
    """Compare *desired* with what the database said when *snapshot* was taken. Raises NameTaken."""
    plan = plan_for(snapshot, _wanted(desired), snapshot.source, ())
    return Planned(plan, snapshot.revision(), snapshot.database(), snapshot.taken_at)


def apply_desired(database: Engine, desired: Desired, source: str, approval: Approval) -> Applied:
    """Make the database say what *desired* says: all of it, or none of it.

    Takes the apply lock, plans under it, and carries that plan out. What is due under an old
    schedule is recorded before the schedule changes, so no fire is lost or doubled by an edit.
    Having written nothing, raises LockTimeout, UnsafePlan or NameTaken, StalePlan when the plan is not
    the one that was expected, InvalidPlanFile when a saved one is of another database, Overtaken, and
    WrongEnvironment. The first apply for an environment makes the database that environment's. Files of
    another place that change nothing leave the source where it is.
    """
    if isinstance(approval.expected, SavedPlan):
        check_files(approval.expected, desired)
    came_from = _provenance(desired, source, approval.actor)
    with applying(database, approval.lock_timeout, approval.actor) as connection:
        _check_since(connection, source, approval.since)
        whole = _plan(connection, desired, source, _adopted(approval))
        plan = _as_expected(connection, whole, approval.expected)
        plan = plan if approval.heal else leaving_drift(plan)
        check_safe(plan, approval.limits)
        base_revision = revisions.current_revision(connection, source)
        identity = str(database_uuid(connection))
        if not plan.has_changes and is_from_elsewhere(plan, approval.limits):
            return Applied(plan, None, identity, base_revision)
        stamp_environment(connection, desired.environment)
        created = _carry_out(connection, plan, desired, source)
        revision = None
        if plan.has_changes:
            told = [_recorded(change, created) for change in plan.changes]
            revision = revisions.record_revision(connection, came_from, asdict(plan.summary), told)
        partly = desired.subset or desired.past is not None
        all_done = not partly and len(plan.changes) == len(whole.changes)
        revisions.record_source(connection, came_from, revision, in_sync=True if all_done else None)
        if plan.has_changes:
            hints.notify(connection)
        failpoint("apply.before_commit")
    failpoint("apply.after_commit")
    return Applied(plan, revision, identity, base_revision)


def _check_since(connection: Connection, source: str, since: revisions.Standing | None) -> None:
    """What was read before somebody else applied may be older than what they read."""
    if since is not None and since != revisions.standing_of(connection, source):
        raise Overtaken(source)


def check_files(saved: SavedPlan, desired: Desired) -> None:
    """Raise StalePlan unless the files are those that *saved* was made from."""
    moved = saved.moved_files(desired.digests)
    if moved:
        raise StalePlan(
            changed=moved, what="file", reasons=[_file_moved(name, saved, desired) for name in moved]
        )


def _file_moved(name: str, saved: SavedPlan, desired: Desired) -> str:
    if name.startswith("$"):
        return f"the variable {name[1:]}"
    if name not in desired.digests:
        return f"{name} is gone"
    how = "is other" if name in saved.files else "is new"
    checkout = desired.checkout
    who = None if checkout is None else last_author(Path(desired.folder), name)
    return f"{name} {how}" if who is None else f"{name} {how} ({who})"


def _as_expected(connection: Connection, plan: Plan, expected: Plan | SavedPlan | None) -> Plan:
    """Return what is to be carried out of *plan*. Raises StalePlan where that is not what was expected."""
    if isinstance(expected, SavedPlan):
        if expected.database != str(database_uuid(connection)):
            raise InvalidPlanFile("the plan", "it was made from another database")
        if moved := expected.moved_tasks(plan):
            told = revisions.last_changes(connection, expected.source, moved, expected.base_revision)
            raise StalePlan(changed=moved, reasons=[_task_moved(name, told.get(name)) for name in moved])
        return expected.of(plan)
    if expected is not None and plan.fingerprint != expected.fingerprint:
        raise StalePlan(changed=_moved(expected, plan))
    return plan


def _task_moved(name: str, change: revisions.ToldChange | None) -> str:
    if change is None:
        return f"`{name}` was changed in the database"
    commit = f", commit {change.commit[:8]}" if change.commit else ""
    return f"`{name}` was changed by {change.actor}{commit} (revision {change.revision})"


def _adopted(approval: Approval) -> Collection[str]:
    saved = approval.expected
    return approval.limits.adopt | (saved.adopt if isinstance(saved, SavedPlan) else frozenset())


def _plan(connection: Connection, desired: Desired, source: str, adopt: Collection[str]) -> Plan:
    wanted = replace(_wanted(desired), bearers=task_configs.bearers(connection, desired.rows))
    return plan_for(StoredState(connection, source), wanted, source, adopt)


def _wanted(desired: Desired) -> Wanted:
    return Wanted(desired.specs, desired.place, desired.subset)


def _carry_out(connection: Connection, plan: Plan, desired: Desired, source: str) -> dict[str, int]:
    """Return the ids of the rows that are new, by name."""
    commit = desired.checkout.commit if desired.checkout else None
    calendars.save_calendars(connection, desired.specs.values())
    deletes = [change for change in plan.changes if isinstance(change, Delete)]
    updates = [change for change in plan.changes if isinstance(change, Update | Rename)]
    creates = [change for change in plan.changes if isinstance(change, Create)]
    touched = [change.live.id for change in deletes] + [change.live.id for change in updates]
    failpoint("apply.before_materialise")
    staying = [change.live.id for change in updates if _stays(change)]
    materialise_due(connection, staying)
    materialise_to_edit(connection, {*touched}.difference(staying))
    changed = {change.live.id: change.spec for change in updates}
    failpoint("apply.after_materialise")
    kept = pauses.settle_before_change(connection, {**dict.fromkeys(touched), **changed})
    task_configs.retire_tasks(connection, [change.live.id for change in deletes])
    task_configs.free_names(connection, [c.live.id for c in updates if isinstance(c, Rename) and c.hands_on])
    task_configs.update_tasks(connection, changed, source, commit)
    pauses.keep_missed(connection, kept)
    restored = {change.restores: change.spec for change in creates if change.restores is not None}
    task_configs.revive_tasks(connection, restored, source, commit)
    fresh = [change.spec for change in creates if change.restores is None]
    created = task_configs.insert_tasks(connection, fresh, source, commit)
    unchanged = [desired.specs[name] for name in plan.unchanged]
    task_configs.refresh_places(connection, source, unchanged, commit)
    return created


def _stays(change: Update | Rename) -> bool:
    """Say whether *change* is known to leave the task its fire times."""
    before = change.live.spec
    return before is not None and same_times(before, change.spec)


def _provenance(desired: Desired, source: str, actor: str) -> revisions.Provenance:
    reason = None if desired.past is None else f"rollback to revision {desired.past}"
    known = revisions.Provenance(source, actor, desired.folder, desired.files_digest, reason=reason)
    checkout = desired.checkout
    return replace(known, **asdict(checkout)) if checkout else known


def _recorded(change: Change, created: Mapping[str, int]) -> dict[str, Any]:
    """Return *change* as a revision keeps it: the whole spec before and after, and the row's id."""
    recorded = {
        "action": type(change).__name__.lower(),
        "name": change.name,
        "id": _row_of(change, created),
        "before": _document(None if isinstance(change, Create) else change.live.spec),
        "after": _document(None if isinstance(change, Delete) else change.spec),
    }
    if isinstance(change, Update | Rename) and change.live.source is not None:
        recorded["previous_source"] = change.live.source
    if isinstance(change, Rename):
        recorded |= {"previous": change.previous, "edits": 2 if change.hands_on else 1}
    return recorded


def _row_of(change: Change, created: Mapping[str, int]) -> int:
    if isinstance(change, Create):
        return created[change.name] if change.restores is None else change.restores
    return change.live.id


def _document(spec: TaskSpec | None) -> dict[str, Any] | None:
    return None if spec is None else spec.document()


def _moved(expected: Plan, found: Plan) -> list[str]:
    """Return the names of the tasks in which the two plans differ, or all if only the order does."""
    before, after = set(expected.fingerprint), set(found.fingerprint)
    names = {str(change[1]) for change in before ^ after}
    return sorted(names) or [change.name for change in found.changes]
