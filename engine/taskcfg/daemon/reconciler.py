"""Keeps the database in step with a watched folder of task files."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass

from taskcfg.clock import Clock
from taskcfg.errors import (
    InvalidTaskFiles,
    LockTimeout,
    NameTaken,
    TaskcfgError,
    UnreadableSource,
    UnsafePlan,
)
from taskcfg.reconcile.guard import Limits
from taskcfg.settings import Settings
from taskcfg.store import revisions
from taskcfg.store.database import Engine, writing
from taskcfg.sync import Approval, Desired, apply_desired, load_desired, make_plan
from taskcfg.types.registry import Registry

logger = logging.getLogger("taskcfg.reconcile")

SECOND_LOOK = 0.5
"""Seconds until a folder in which a task is missing is read again, before the task is deleted."""

LOCK_TIMEOUT = 5.0


@dataclass(frozen=True, slots=True)
class Reconciled:
    """What one pass did: the revision it applied, if any, and what kept it from applying."""

    revision: int | None = None
    problems: tuple[str, ...] = ()


class Reconciler:
    """Reads the folder and applies it, again and again; what is broken changes nothing.

    A file with a problem, an unreadable folder or a plan that a guard refuses leaves the last
    good state in force, and stands in `taskcfg status` until it is mended.
    """

    def __init__(self, database: Engine, settings: Settings, registry: Registry, clock: Clock) -> None:
        self._database = database
        self._settings = settings
        self._registry = registry
        self._clock = clock
        self._settled: str | None = None
        self._shown: tuple[str, ...] = ()

    def run_once(self) -> Reconciled:
        """Make one full pass. Raises DatabaseUnavailable; everything else is in the result."""
        try:
            desired = self._load()
            applied = self._apply(desired)
        except (InvalidTaskFiles, UnreadableSource, UnsafePlan, NameTaken) as error:
            problems = _texts(error)
            self._show(problems)
            return Reconciled(problems=problems)
        except LockTimeout:
            return Reconciled()
        self._show(())
        return Reconciled(revision=applied)

    def _load(self) -> Desired:
        desired = load_desired(self._settings, self._registry)
        plan = make_plan(self._database, desired, self._settings.source).plan
        if plan.summary.delete == 0:
            return desired
        # An editor or a checkout may be half way through: a deletion counts when a second look agrees.
        self._clock.sleep(SECOND_LOOK)
        return load_desired(self._settings, self._registry)

    def _apply(self, desired: Desired) -> int | None:
        approval = Approval(
            actor=self._settings.actor or "scheduler",
            limits=Limits(max_delete=self._settings.max_delete),
            lock_timeout=LOCK_TIMEOUT,
        )
        applied = apply_desired(self._database, desired, self._settings.source, approval)
        if applied.revision is not None:
            summary = applied.plan.summary
            logger.info(
                "source.applied source=%s revision=%d added=%d changed=%d deleted=%d",
                self._settings.source,
                applied.revision,
                summary.add,
                summary.change,
                summary.delete,
            )
        return applied.revision

    def _show(self, problems: Sequence[str]) -> None:
        """Say in the log what is new, and in the database what is so."""
        problems = tuple(problems)
        if problems:
            with writing(self._database) as connection:
                revisions.record_problems(connection, self._settings.source, problems)
        if problems == self._shown:
            return
        for problem in problems:
            logger.error("source.problem source=%s %s", self._settings.source, problem)
        if problems:
            logger.error("source.kept source=%s: the last good state stays in force", self._settings.source)
        else:
            logger.info("source.mended source=%s", self._settings.source)
        self._shown = problems


def _texts(error: TaskcfgError) -> tuple[str, ...]:
    if isinstance(error, InvalidTaskFiles):
        return tuple(problem.text() for problem in error.problems)
    return (f"{error.message}: {error.hint}" if error.hint else error.message,)
