"""Keeps the database in step with the source that is followed."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from taskcfg.clock import Clock
from taskcfg.control.following import followed
from taskcfg.control.syncing import HEAL, Synced, approval_of, sync_once
from taskcfg.reconcile.plan import Update
from taskcfg.settings import Settings
from taskcfg.store import revisions
from taskcfg.store.database import Engine, writing
from taskcfg.types.registry import Registry

logger = logging.getLogger("taskcfg.reconcile")

LOCK_TIMEOUT = 5.0


class Reconciler:
    """Reads the files and applies them, again and again; what is broken changes nothing.

    A file with a problem, a folder or a repository that cannot be read, or a plan that a guard refuses leaves
    the last good state in force, and stands in `taskcfg status` until it is mended. What somebody changed in
    the database by hand is healed, or with `reconcile: report` only shown.
    """

    def __init__(self, database: Engine, settings: Settings, registry: Registry, clock: Clock) -> None:
        self._database = database
        self._settings = settings
        self._followed = followed(settings, registry, clock)
        self._closed = False
        self._shown: tuple[str, ...] = ()
        self._drifted: tuple[str, ...] = ()

    def run_once(self) -> Synced:
        """Make one full pass. Raises DatabaseUnavailable, SchemaMismatch; all else is in the result."""
        actor = self._settings.actor or "scheduler"
        approval = approval_of(self._settings, actor, lock_timeout=LOCK_TIMEOUT)
        synced = sync_once(self._database, self._settings, self._followed, approval)
        if self._closed and synced.error is not None:
            return synced  # it was broken off: that says nothing of the files
        self._tell(synced)
        self._tell_drift(synced.drifted)
        if synced.applied is None and not synced.problems:
            return synced  # another apply goes on: nobody looked
        left = () if self._settings.reconcile == HEAL else tuple(_by_hand(each) for each in synced.drifted)
        self._show(synced.problems, left)
        return synced

    def close(self) -> None:
        """Break off what is under way; from another thread."""
        self._closed = True
        self._followed.stop()

    def _tell(self, synced: Synced) -> None:
        applied, commit = synced.applied, synced.checkout
        if applied is None or applied.revision is None:
            return
        summary = applied.plan.summary
        logger.info(
            "source.applied source=%s revision=%d commit=%s added=%d changed=%d deleted=%d renamed=%d",
            self._settings.source,
            applied.revision,
            commit.commit[:12] if commit else None,
            summary.add,
            summary.change,
            summary.delete,
            summary.rename,
        )

    def _tell_drift(self, drifted: Sequence[Update]) -> None:
        """Log each change by hand once: that it was undone, or that it stands."""
        word = "healed" if self._settings.reconcile == HEAL else "found"
        texts = tuple(f"{each.name} {','.join(field.path for field in each.fields)}" for each in drifted)
        for each, text in zip(drifted, texts, strict=True):
            if word == "healed" or text not in self._drifted:
                fields = ",".join(field.path for field in each.fields) or "unreadable"
                logger.warning(
                    "drift.%s source=%s task=%s fields=%s", word, self._settings.source, each.name, fields
                )
        self._drifted = texts

    def _show(self, problems: Sequence[str], drift: Sequence[str]) -> None:
        """Say in the log what is new, and in the database what is so."""
        problems = tuple(problems)
        if problems or drift:
            with writing(self._database) as connection:
                revisions.record_problems(connection, self._settings.source, [*problems, *drift])
        if problems == self._shown:
            return
        for problem in problems:
            logger.error("source.problem source=%s %s", self._settings.source, problem)
        if problems:
            logger.error("source.kept source=%s: the last good state stays in force", self._settings.source)
        else:
            logger.info("source.mended source=%s", self._settings.source)
        self._shown = problems


def _by_hand(change: Update) -> str:
    fields = ", ".join(field.path for field in change.fields) or "what it says cannot be read"
    return f"task `{change.name}` was changed in the database by hand ({fields}): `taskcfg apply` undoes it"
