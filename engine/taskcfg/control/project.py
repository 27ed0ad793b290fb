"""`Taskcfg`: one project, with its files, its types and its database."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from uuid import uuid4

from taskcfg.clock import Clock, SystemClock
from taskcfg.control.actor import actor_of
from taskcfg.control.fires import Attempts, attempts_at, cancel, retry
from taskcfg.control.names import choose, selection_of
from taskcfg.control.pausing import PauseReport, PauseRequest, pause, resume
from taskcfg.control.plans import ApplyReport, PlanReport
from taskcfg.control.purging import Purge, carry_out, count
from taskcfg.control.running import Request, Requested, await_end, run_now
from taskcfg.control.status import Status, read_status
from taskcfg.reconcile.guard import Limits, check_safe
from taskcfg.reconcile.plan import Plan
from taskcfg.settings import Settings, load_settings
from taskcfg.spec.selection import ALL, Selection
from taskcfg.spec.task import TaskSpec
from taskcfg.store import schema
from taskcfg.store.database import Connection, Engine, open_database, reading
from taskcfg.store.history import ExecutionRow, FireRow, Page, Wanted, executions, fires
from taskcfg.store.purging import Purged
from taskcfg.store.selecting import Declared, declared
from taskcfg.store.task_list import TaskRow, task_rows
from taskcfg.sync import Approval, apply_desired, load_desired, make_plan
from taskcfg.types.registry import Registry, types_of


class Taskcfg:
    """A project: what the command line, the REST API and your own code call.

    Settings come from `taskcfg.toml`, `TASKCFG_*` variables and *overrides*, later over earlier,
    unless *settings* are given. The database is opened when it is first needed; `close`, or the
    end of a `with` block, closes it. Every method that needs the database raises
    DatabaseUnavailable, and SchemaMismatch when its tables are missing or of another version.
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

    def plan(self, files: Sequence[Path] | None = None) -> PlanReport:
        """Return what `apply` would change; change nothing.

        *files* are a subset of the task files, which never deletes. Raises InvalidTaskFiles,
        UnreadableSource, NameTaken.
        """
        desired = load_desired(self.settings, self.registry, files)
        planned = make_plan(self._database, desired, self.settings.source)
        return PlanReport(planned.plan, desired, planned.base_revision, self._clock.now())

    def check_safe(self, plan: Plan, *, max_delete: int | None = None, allow_empty: bool = False) -> None:
        """Raise UnsafePlan when a guard would refuse to apply *plan*."""
        check_safe(plan, self._limits(max_delete, allow_empty))

    def apply(
        self,
        *,
        expected: Plan | None = None,
        max_delete: int | None = None,
        allow_empty: bool = False,
        lock_timeout: float = 30.0,
    ) -> ApplyReport:
        """Make the database say what the files say: all of it, or none of it.

        Waits at most *lock_timeout* seconds for another apply. Having changed nothing, raises
        what `plan` raises, LockTimeout, UnsafePlan when a guard refuses (*max_delete* and
        *allow_empty* say yes), and StalePlan when the plan is no longer the *expected* one.
        """
        desired = load_desired(self.settings, self.registry)
        approval = Approval(
            actor_of(self.settings), self._limits(max_delete, allow_empty), lock_timeout, expected
        )
        applied = apply_desired(self._database, desired, self.settings.source, approval)
        report = PlanReport(applied.plan, desired, applied.base_revision, self._clock.now())
        return ApplyReport(report, applied.revision)

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

        Without rows that cannot be read. Raises what `tasks` raises.
        """
        with reading(self._database) as connection:
            rows = choose(connection, selection or Selection())
            return declared(connection, [row.id for row in rows])

    def specs(self, selection: Selection | None = None) -> dict[str, TaskSpec]:
        """Return what `declared` does, without pauses."""
        return {row.spec.name: row.spec for row in self.declared(selection)}

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
        return run_now(self._database, self.registry, request)

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
        return schema.current(self._unchecked)

    def upgrade_schema(self) -> None:
        """Bring the database's tables to this version's."""
        schema.upgrade(self._unchecked)

    def check_schema(self) -> None:
        """Raise SchemaMismatch, saying what to do, unless the tables are this version's."""
        schema.check_whole(self._unchecked)

    @property
    def _unchecked(self) -> Engine:
        if self._opened is None:
            self._opened = open_database(self.settings.database_url, role="command")
        return self._opened

    @property
    def _database(self) -> Engine:
        database = self._unchecked
        if not self._checked:
            schema.check(database)
            self._checked = True
        return database

    def _limits(self, max_delete: int | None, allow_empty: bool) -> Limits:
        chosen = self.settings.max_delete if max_delete is None else max_delete
        return Limits(max_delete=chosen, allow_empty=allow_empty)


def _of_selected(connection: Connection, wanted: Wanted, selection: Selection | None) -> Wanted:
    """Return *wanted* of the tasks that *selection* means, those that were retired too."""
    asked = selection or Selection(() if wanted.task is None else (wanted.task,))
    if not asked.narrows:
        return wanted
    rows = choose(connection, replace(asked, states=(ALL,)))
    return replace(wanted, task=None, task_ids=tuple(row.id for row in rows))
