"""One sync of a source that is followed: its files read as they are now, and applied; what came of it."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import Any

from taskcfg.control.following import Followed
from taskcfg.errors import (
    DatabaseUnavailable,
    InvalidTaskFiles,
    LockTimeout,
    Overtaken,
    SchemaMismatch,
    TaskcfgError,
)
from taskcfg.reconcile.by_hand import healed
from taskcfg.reconcile.describe import applied_total, plan_total
from taskcfg.reconcile.guard import Limits
from taskcfg.reconcile.plan import Update
from taskcfg.settings import Settings
from taskcfg.source.checkout import Checkout
from taskcfg.source.git.mirror import Commit
from taskcfg.store import revisions
from taskcfg.store.database import Engine, reading
from taskcfg.sync import Applied, Approval, Desired, apply_desired, make_plan

TRIES = 5
"""How often the files are read again because somebody else applied meanwhile."""

HEAL = "heal"
"""The word of the setting `reconcile` for undoing what somebody changed in the database by hand."""

NOT_OURS = (DatabaseUnavailable, SchemaMismatch)
"""What is wrong with the database, not with what is followed: whoever runs the loop sees to it."""


@dataclass(frozen=True, slots=True)
class Synced:
    """What one sync did. `applied` is None where nothing could be applied: `error` and `problems` say why.

    `checkout` is where the files came from, None where no git knows. `drifted` are the changes by hand
    that it found: healed, or left alone where that is the setting.
    """

    applied: Applied | None = None
    checkout: Checkout | None = None
    drifted: tuple[Update, ...] = ()
    problems: tuple[str, ...] = ()
    error: TaskcfgError | None = None


def sync_once(database: Engine, settings: Settings, source: Followed, approval: Approval) -> Synced:
    """Read what *source* says and apply it: all of it, or none of it, and what was applied stays in force.

    Where the repository cannot be reached, or its commit cannot be applied, changes by hand are healed all
    the same, if the commit that is in force is at hand. Raises DatabaseUnavailable and SchemaMismatch;
    everything else is in the result.
    """
    try:
        return _applied(database, settings, source, approval)
    except NOT_OURS:
        raise
    except (LockTimeout, Overtaken) as error:
        return _refused(error, source.seen)
    except TaskcfgError as error:
        drifted = _heal_only(database, settings, source, approval)
        return replace(_refused(error, source.seen), drifted=drifted)


def _applied(database: Engine, settings: Settings, source: Followed, approval: Approval) -> Synced:
    overtaken: Overtaken | None = None
    for _ in range(TRIES):
        desired, since = source.read(database)
        try:
            return _apply(database, settings, desired, replace(approval, since=since))
        except Overtaken as error:
            overtaken = error
    assert overtaken is not None
    raise overtaken


def _apply(database: Engine, settings: Settings, desired: Desired, approval: Approval) -> Synced:
    applied = apply_desired(database, desired, settings.source, approval)
    if approval.heal:
        return Synced(applied, desired.checkout, tuple(healed(applied.plan)))
    left = healed(make_plan(database, desired, settings.source).plan)
    return Synced(applied, desired.checkout, tuple(left))


def _heal_only(
    database: Engine, settings: Settings, source: Followed, approval: Approval
) -> tuple[Update, ...]:
    """Undo changes by hand with the commit that is in force."""
    with reading(database) as connection:
        standing = revisions.standing_of(connection, settings.source)
    try:
        desired = source.last(standing)
        if desired is None:
            return ()
        drifted = tuple(healed(make_plan(database, desired, settings.source).plan))
        if drifted and approval.heal:
            apply_desired(database, desired, settings.source, replace(approval, since=standing))
    except NOT_OURS:
        raise
    except TaskcfgError:
        return ()  # what kept us from the new commit is what has to be said
    return drifted


def _refused(error: TaskcfgError, commit: Commit | None) -> Synced:
    where = "" if commit is None else f"commit {commit.id[:12]}: "
    if isinstance(error, LockTimeout):
        return Synced(error=error)  # the next pass comes soon: nothing is wrong with the files
    if isinstance(error, InvalidTaskFiles):
        texts = tuple(f"{where}{problem.text()}" for problem in error.problems)
    else:
        said = f"{error.message}: {error.hint}" if error.hint else error.message
        texts = (said if said.startswith(where) else f"{where}{said}",)
    checkout = None if commit is None else Checkout("", "", commit.id, commit.author, commit.subject, False)
    return Synced(checkout=checkout, problems=texts, error=error)


def approval_of(
    settings: Settings, actor: str, *, lock_timeout: float, limits: Limits | None = None
) -> Approval:
    """Return what a source that is followed is applied with: nobody is asked, and every guard holds."""
    limits = limits or Limits(max_delete=settings.max_delete)
    return Approval(actor, limits, lock_timeout, heal=settings.reconcile == HEAL)


def _total(applied: Applied) -> str:
    return applied_total(applied.plan) if applied.plan.has_changes else plan_total(applied.plan)


def outcome_document(synced: Synced, source: str) -> dict[str, Any]:
    """Return what `taskcfg sync` shows, also where a scheduler did it."""
    applied, checkout, error = synced.applied, synced.checkout, synced.error
    return {
        "source": source,
        "commit": checkout.commit if checkout else None,
        "author": checkout.author if checkout else None,
        "subject": checkout.subject if checkout else None,
        "applied": applied is not None,
        "revision": None if applied is None else applied.revision,
        "summary": None if applied is None else asdict(applied.plan.summary),
        "result": None if applied is None else _total(applied),
        "drifted": [change.name for change in synced.drifted],
        "problems": list(synced.problems),
        "errored": error is not None,
        "error": None
        if error is None
        else {"code": error.code, "message": error.message, "hint": error.hint},
    }
