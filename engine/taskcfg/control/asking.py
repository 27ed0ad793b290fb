"""A sync that somebody wants now: asked of the schedulers that follow the source, or done here."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from taskcfg.clock import Clock
from taskcfg.control.following import followed
from taskcfg.control.syncing import approval_of, outcome_document, sync_once
from taskcfg.errors import SyncUnanswered
from taskcfg.reconcile.guard import Limits
from taskcfg.settings import Settings
from taskcfg.store import sync_requests
from taskcfg.store.database import Engine, reading
from taskcfg.store.nodes import followers
from taskcfg.types.registry import Registry

RESTARTED_WITHIN = 10.0
"""Seconds for which one that dies while it is at it is waited for to be started again, or for another."""

LOCK_TIMEOUT = 30.0
_LOOK = 0.1


@dataclass(frozen=True, slots=True)
class Here:
    """What a sync is done with by the one who asks for it."""

    settings: Settings
    registry: Registry
    clock: Clock
    actor: str


def sync_now(database: Engine, here: Here, limits: Limits | None, timeout: float) -> dict[str, Any]:
    """Return what came of it. Raises SyncUnanswered; what is wrong with the files is in the result."""
    source, can = here.settings.source, here.settings.git_url is not None
    if limits is not None and not can:
        raise SyncUnanswered(
            "what a guard refuses is said yes to where it is applied, and no `git_url` is set here",
            hint="set it, or run `taskcfg apply` with that flag where the files are",
        )
    if limits is None and _followers(database, source):
        answer = _asked(database, here, timeout)
        if answer is not None:
            return answer
    if not can:
        raise SyncUnanswered(
            f"no scheduler follows source `{source}`, and no `git_url` is set here",
            hint="start `taskcfg scheduler --git URL` or `--watch`; `taskcfg apply` applies the files here",
        )
    return _done_here(database, here, limits)


def _followers(database: Engine, source: str) -> list[str]:
    with reading(database) as connection:
        return followers(connection, source)


def _asked(database: Engine, here: Here, timeout: float) -> dict[str, Any] | None:
    """Ask, and return the answer; None when all who follow the source have gone meanwhile."""
    source, clock = here.settings.source, here.clock
    number = sync_requests.ask(database, source, here.actor)
    alive_at = clock.monotonic()
    deadline = alive_at + timeout
    while (now := clock.monotonic()) < deadline:
        found = sync_requests.look(database, source)
        if found.answered >= number and found.outcome is not None:
            return {**found.outcome, "by": "scheduler"}
        if _followers(database, source):
            alive_at = now
        elif now - alive_at > RESTARTED_WITHIN:
            return None
        clock.sleep(_LOOK)
    raise SyncUnanswered(
        f"a scheduler is at it, and has not ended within {timeout:.0f} s",
        hint="it goes on; `taskcfg status` tells what comes of it",
    )


def _done_here(database: Engine, here: Here, limits: Limits | None) -> dict[str, Any]:
    settings = here.settings
    approval = approval_of(settings, here.actor, lock_timeout=LOCK_TIMEOUT)
    if limits is not None:
        most = approval.limits.max_delete if limits.max_delete is None else limits.max_delete
        approval = replace(approval, limits=replace(limits, max_delete=most))
    synced = sync_once(database, settings, followed(settings, here.registry, here.clock), approval)
    return {**outcome_document(synced, settings.source), "by": here.actor}
