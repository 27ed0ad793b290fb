"""`Taskcfg`: one project, with its files, its types and its database."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from uuid import uuid4

from taskcfg.clock import Clock, SystemClock
from taskcfg.control.actor import actor_of
from taskcfg.control.asking import Here, sync_now
from taskcfg.control.blaming import BlameReport, blame_of
from taskcfg.control.drifting import DriftReport, drift_of
from taskcfg.control.fires import Attempts, attempts_at, cancel, retry
from taskcfg.control.names import choose, selection_of
from taskcfg.control.pausing import PauseReport, PauseRequest, pause, resume
from taskcfg.control.plans import ApplyReport, PlanReport
from taskcfg.control.purging import Purge, carry_out, count
from taskcfg.control.rolling_back import check_followers, desired_at
from taskcfg.control.running import Request, Requested, await_end, run_now
from taskcfg.control.snapshots import load_snapshot
from taskcfg.control.status import Status, read_status
from taskcfg.reconcile.guard import Limits, check_safe
from taskcfg.reconcile.outlook import HORIZON
from taskcfg.reconcile.past import Recorded
from taskcfg.reconcile.plan import Plan
from taskcfg.reconcile.saved_plan import SavedPlan, check_source
from taskcfg.reconcile.snapshot import snapshot_document
from taskcfg.settings import Settings, load_settings
from taskcfg.spec.selection import ALL, Selection
from taskcfg.spec.task import TaskSpec
from taskcfg.store import schema
from taskcfg.store.database import Connection, Engine, open_database, reading
from taskcfg.store.history import ExecutionRow, FireRow, Page, Wanted, executions, fires
from taskcfg.store.live_state import take_snapshot
from taskcfg.store.past import RevisionRow, read_revision, read_revisions
from taskcfg.store.purging import Purged
from taskcfg.store.selecting import Declared, declared
from taskcfg.store.settings_table import check_database
from taskcfg.store.task_list import TaskRow, task_rows
from taskcfg.sync import Approval, Desired, apply_desired, load_desired, make_plan, plan_against
from taskcfg.types.registry import Registry, types_of


class Taskcfg:
    """A project: what the command line, the REST API and your own code call.

    Settings come from `taskcfg.toml`, `TASKCFG_*` variables and *overrides*, later over earlier,
    unless *settings* are given. The database is opened when it is first needed; `close`, or the
    end of a `with` block, closes it. Every method that needs the database raises
    DatabaseUnavailable, SchemaMismatch when its tables are missing or of another version, and
    WrongEnvironment when it is that of another environment than `settings.env`.
    """

    def __init__(
        self, settings: Settings | None = None, *, clock: Clock | None = None, **overrides: Any
    ) -> None:
        self.settings = settings or load_settings(overrides)
        self._clock = clock or SystemClock()
        self._opened: Engine | None = None
        self._checked = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the database's connections; a later call opens it again."""
        if self._opened is not None:
            self._opened.dispose()
            self._opened, self._checked = None, False

    @cached_property
    def registry(self) -> Registry:
        """The task types. Raises InvalidType."""
        return types_of(self.settings)

    def plan(
        self,
        files: Sequence[Path] | None = None,
        *,
        saved: SavedPlan | None = None,
        adopt: Collection[str] = (),
        against: Path | None = None,
        past: int | None = None,
        horizon: timedelta = HORIZON,
    ) -> PlanReport:
        """Return what `apply` would change; change nothing.

        *files* are a subset of the task files, which never deletes. Of a *saved* plan it is what applying
        that would change. *adopt* are names that are taken over from other sources. Fires are looked at up
        to *horizon* from now. *against* is a file of `snapshot`, which stands for the database; *past* a
        revision to go back to, which stands for the files. Raises InvalidTaskFiles, UnreadableSource,
        NameTaken, for a saved plan StalePlan and InvalidPlanFile, InvalidSnapshot, and UnknownRevision.
        """
        desired = self._desired(files, saved, past)
        if against is not None:
            planned = plan_against(load_snapshot(against, self.settings.source, self.settings.env), desired)
        else:
            planned = make_plan(self._database, desired, self.settings.source, saved, adopt)
        now, base = self._clock.now(), planned.base_revision
        return PlanReport(planned.plan, desired, base, now, planned.database, horizon, planned.as_of)

    def snapshot(self) -> dict[str, Any]:
        """Return the live state of the source as a document, for `plan` where no database is."""
        with reading(self._database) as connection:
            return snapshot_document(take_snapshot(connection, self.settings.source, self._clock.now()))

    def check_safe(self, plan: Plan, limits: Limits | None = None) -> None:
        """Raise UnsafePlan when a guard would refuse to apply *plan* within *limits*."""
        check_safe(plan, self._limits(limits))

    def apply(
        self,
        *,
        expected: Plan | SavedPlan | None = None,
        past: int | None = None,
        limits: Limits | None = None,
        lock_timeout: float = 30.0,
    ) -> ApplyReport:
        """Make the database say what the files say: all of it, or none of it.

        Waits at most *lock_timeout* seconds for another apply. Having changed nothing, raises
        what `plan` raises, LockTimeout, UnsafePlan when a guard refuses what
        *limits* do not say yes to, and StalePlan when the plan is no longer the *expected* one. Of a saved
        plan nothing but what it holds is carried out. With *past* it is what that revision left, not the
        files: see `check_rollback`.
        """
        desired = self._desired(None, expected if isinstance(expected, SavedPlan) else None, past)
        approval = Approval(actor_of(self.settings), self._limits(limits), lock_timeout, expected)
        applied = apply_desired(self._database, desired, self.settings.source, approval)
        report = PlanReport(applied.plan, desired, applied.base_revision, self._clock.now(), applied.database)
        return ApplyReport(report, applied.revision)

    def sync(self, *, limits: Limits | None = None, timeout: float = 300.0) -> dict[str, Any]:
        """Have what is followed fetched and applied now; return what came of it, as `taskcfg sync` shows it.

        A scheduler that follows the source does it; where none does, or with *limits*, it is done here, from
        `git_url`. Raises SyncUnanswered when nobody does, or has not within *timeout* seconds.
        """
        here = Here(self.settings, self.registry, self._clock, actor_of(self.settings))
        return sync_now(self._database, here, limits, timeout)

    def tasks(self, selection: Selection | None = None, *, retired: bool = False) -> list[TaskRow]:
        """Return the tasks that *selection* means, by name: by default all that are live.

        With *retired* those that were deleted too. Raises UnknownTask and RetiredTask for a name
        without glob; that nothing matches is an empty list.
        """
        wanted = selection or Selection.of(states=[ALL] if retired else [])
        with reading(self._database) as connection:
            ids = [row.id for row in choose(connection, wanted)] if wanted.narrows else None
            return task_rows(connection, ids=ids, states=wanted.wanted_states)

    def task(self, name: str) -> TaskRow:
        """Return the live task *name*. Raises UnknownTask, and RetiredTask when it was deleted."""
        with reading(self._database) as connection:
            choose(connection, Selection((name,)))
            (row,) = task_rows(connection, names=[name])
            return row

    def declared(self, selection: Selection | None = None) -> list[Declared]:
        """Return what live tasks say of themselves, and the pause over each, by name.

        Raises what `tasks` raises.
        """
        with reading(self._database) as connection:
            rows = choose(connection, selection or Selection())
            return declared(connection, [row.id for row in rows])

    def specs(self, selection: Selection | None = None) -> dict[str, TaskSpec]:
        """Return the specs of live tasks whose rows can be read, by name. Raises what `tasks` raises."""
        return {row.name: row.spec for row in self.declared(selection) if row.spec is not None}

    def run(
        self,
        names: Selection | Sequence[str],
        params: Mapping[str, Any] | None = None,
        *,
        request_id: str | None = None,
    ) -> list[Requested]:
        """Run tasks now: record a fire for each that *names* mean, or for none, and return them.

        *params* are laid over the tasks' own and validated. The same *request_id* again gives the
        same fires. Raises UnknownTask, RetiredTask, NoTaskMatches, InvalidParams, UnknownType.
        """
        request = Request(selection_of(names), params, actor_of(self.settings), request_id or uuid4().hex)
        return run_now(self._database, self.registry, request, largest=self.settings.max_message_size)

    def wait(self, requested: Sequence[Requested], timeout: float | None = None) -> list[Requested]:
        """Return the fires as they stand when all have ended, or after *timeout* seconds."""
        return await_end(self._database, requested, self._clock, timeout)

    def pause(
        self,
        names: Selection | Sequence[str],
        *,
        reason: str,
        until: datetime | None = None,
        missed: str = "none",
    ) -> PauseReport:
        """Stop tasks until they are resumed, or *until* then, whatever is applied meanwhile.

        *missed* says what the end of the pause does with the fires missed by then: `none`,
        `latest` or `all` of them fire. Pauses all of them or none. Raises UnknownTask,
        RetiredTask, NoTaskMatches, InvalidPause.
        """
        request = PauseRequest(selection_of(names), actor_of(self.settings), reason, until, missed)
        return pause(self._database, request)

    def resume(self, names: Selection | Sequence[str], *, missed: str | None = None) -> PauseReport:
        """End pauses; *missed* goes before what was said when they began. Raises what `pause` raises."""
        return resume(self._database, selection_of(names), missed)

    def attempts(self, which: str) -> Attempts:
        """Return a fire and its attempts. *which* is its id, the start of it, or a task's name for its
        newest fire. Raises UnknownFire."""
        return attempts_at(self._database, which)

    def cancel(self, which: Sequence[str]) -> list[FireRow]:
        """Cancel live fires, named by id or its start: all, or none. Raises UnknownFire, FireNotReady.

        One that runs is marked, and ends when its worker has stopped it.
        """
        return cancel(self._database, which, actor_of(self.settings))

    def retry(self, which: Sequence[str]) -> list[Requested]:
        """Have ended fires run again: all, or none. Raises UnknownFire, FireNotReady."""
        return retry(self._database, which, actor_of(self.settings))

    def count_old(self, purge: Purge) -> Purged:
        """Return how much `purge` would delete. Raises UnknownTask."""
        return count(self._database, purge)

    def purge(self, purge: Purge) -> Iterator[Purged]:
        """Delete old fires and their executions, and yield what each transaction deleted.

        Raises UnknownTask.
        """
        return carry_out(self._database, purge)

    def events(self, wanted: Wanted, selection: Selection | None = None) -> Page[FireRow]:
        """Return a page of the fires of the tasks that *selection* means, the newest first.

        By default of all there are or were. Raises UnknownTask.
        """
        with reading(self._database) as connection:
            return fires(connection, _of_selected(connection, wanted, selection))

    def executions(self, wanted: Wanted, selection: Selection | None = None) -> Page[ExecutionRow]:
        """Return a page of attempts, as `events` does of fires."""
        with reading(self._database) as connection:
            return executions(connection, _of_selected(connection, wanted, selection))

    def status(self) -> Status:
        """Return how everything stands."""
        return read_status(self._database, self.settings)

    def schema_version(self) -> str | None:
        """Return the version of the database's tables, None where there are none."""
        return schema.current(self._own)

    def upgrade_schema(self) -> None:
        """Bring the database's tables to this version's. Raises SchemaInUse while that would break others."""
        schema.upgrade(self._own)

    def check_schema(self) -> None:
        """Raise SchemaMismatch, saying what to do, unless the tables are this version's or serve it."""
        schema.check_whole(self._own)

    def drift(self) -> DriftReport:
        """Return what somebody changed in the database since the source was last applied.

        Raises UnknownSource where others were applied, and this one was not.
        """
        with reading(self._database) as connection:
            return drift_of(connection, self.settings.source)

    def check_rollback(self) -> None:
        """Raise UnsafePlan when a scheduler that is alive would undo a rollback of the source."""
        with reading(self._database) as connection:
            check_followers(connection, self.settings.source)

    def revisions(
        self, source: str | None = None, *, limit: int = 50, cursor: str | None = None
    ) -> Page[RevisionRow]:
        """Return a page of applied plans, the newest first, of *source* or of all."""
        with reading(self._database) as connection:
            return read_revisions(connection, source, limit, cursor)

    def revision(self, number: int, source: str | None = None) -> tuple[RevisionRow, list[Recorded]]:
        """Return one applied plan, of *source* or of any, with its changes, by name.

        Raises UnknownRevision, and TaskcfgError where what it recorded cannot be read.
        """
        with reading(self._database) as connection:
            return read_revision(connection, number, source)

    def blame(self, name: str) -> BlameReport:
        """Return who set each field of the task *name*, which may be retired. Raises UnknownTask."""
        with reading(self._database) as connection:
            return blame_of(connection, name)

    def _desired(self, files: Sequence[Path] | None, saved: SavedPlan | None, past: int | None) -> Desired:
        """Return what the files declare: all of them, *files*, or those that *saved* was made from; or what
        they declared in the *past*."""
        if past is not None:
            return desired_at(self._database, self.settings, past)
        if saved is not None:
            check_source(saved, self.settings.source, self.settings.env)
            files = None if saved.only is None else [self.settings.project_root / name for name in saved.only]
        return load_desired(self.settings, self.registry, files)

    @property
    def _unchecked(self) -> Engine:
        if self._opened is None:
            self._opened = open_database(self.settings.database_url, role="command")
        return self._opened

    @property
    def _own(self) -> Engine:
        """The database, whatever its schema. Raises WrongEnvironment."""
        check_database(self._unchecked, self.settings.env)
        return self._unchecked

    @property
    def _database(self) -> Engine:
        database = self._unchecked
        if not self._checked:
            schema.check_for(database, self.settings.env)
            self._checked = True
        return database

    def _limits(self, given: Limits | None) -> Limits:
        limits = given or Limits()
        return (
            limits if limits.max_delete is not None else replace(limits, max_delete=self.settings.max_delete)
        )


def _of_selected(connection: Connection, wanted: Wanted, selection: Selection | None) -> Wanted:
    """Return *wanted* of the tasks that *selection* means, those that were retired too."""
    asked = selection or Selection(() if wanted.task is None else (wanted.task,))
    if not asked.narrows:
        return wanted
    rows = choose(connection, replace(asked, states=(ALL,)))
    return replace(wanted, task=None, task_ids=tuple(row.id for row in rows))
